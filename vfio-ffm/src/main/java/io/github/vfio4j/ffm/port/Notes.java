package io.github.vfio4j.ffm.port;

import java.nio.file.Path;
import java.util.List;

/**
 * Short texts that outlive the program that wrote them, and not the machine's running: what a program changed of the
 * machine's state and must change back. All programs of a machine see the same ones.
 */
public interface Notes {
    /**
     * Returns this machine's, files of {@code /run/vfio4j}.
     *
     * @return the notes
     */
    static Notes linux() {
        return new LinuxNotes(Path.of("/"));
    }

    /**
     * Returns notes that are somewhere else than in {@code /run}, as a test's.
     *
     * @param root the directory that stands for {@code /}
     * @return the notes
     */
    static Notes at(Path root) {
        return new LinuxNotes(root);
    }

    /**
     * Lists the notes there are.
     *
     * @return their names, in no order
     * @throws SysFs.Failure if the kernel refuses
     */
    List<String> names() throws SysFs.Failure;

    /**
     * Reads a note.
     *
     * @param name its name
     * @return its text
     * @throws SysFs.Failure {@code ENOENT} if there is none, or if the kernel refuses
     */
    String read(String name) throws SysFs.Failure;

    /**
     * Writes a note in place of the one there may be. Whoever reads sees one or the other, whole.
     *
     * @param name its name, a file name
     * @param text its text
     * @throws SysFs.Failure if the kernel refuses
     */
    void write(String name, String text) throws SysFs.Failure;

    /**
     * Throws a note away, if there is one.
     *
     * @param name its name
     * @throws SysFs.Failure if the kernel refuses
     */
    void remove(String name) throws SysFs.Failure;

    /**
     * Names this program, as no other program is named while the machine runs.
     *
     * @return the name, one word
     */
    String program();

    /**
     * Looks whether a program still runs.
     *
     * @param program its {@linkplain #program name}
     * @return whether it does
     */
    boolean isRunning(String program);
}
