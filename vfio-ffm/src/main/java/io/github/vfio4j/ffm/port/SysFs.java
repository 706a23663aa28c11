package io.github.vfio4j.ffm.port;

import java.nio.file.Path;
import java.util.List;

/**
 * The sysfs tree of one kernel. Paths are absolute, such as {@code /sys/bus/pci/devices}. A failure carries the errno
 * that the kernel gave.
 */
public interface SysFs {
    /**
     * Returns this machine's sysfs.
     *
     * @return the tree at {@code /sys}
     */
    static SysFs linux() {
        return new LinuxSysFs("");
    }

    /**
     * Returns a tree that is somewhere else than in {@code /sys}, as one that a test made.
     *
     * @param root the directory that stands for {@code /}: the tree is in its {@code sys}
     * @return the tree
     */
    static SysFs at(Path root) {
        return new LinuxSysFs(root.toString());
    }

    /**
     * Reads an attribute.
     *
     * @param path the file
     * @return its text without the line end
     * @throws Failure if the kernel refuses
     */
    String read(String path) throws Failure;

    /**
     * Lists a directory.
     *
     * @param path the directory
     * @return the names in it, in no order
     * @throws Failure if the kernel refuses
     */
    List<String> list(String path) throws Failure;

    /**
     * Reads a link.
     *
     * @param path the link
     * @return what it says, often a relative path
     * @throws Failure if the kernel refuses
     */
    String readLink(String path) throws Failure;

    /**
     * Writes an attribute, all of it at once.
     *
     * @param path the file
     * @param text what to write; a line end is added
     * @throws Failure if the kernel refuses
     */
    void write(String path, String text) throws Failure;

    /** The kernel's refusal of a sysfs operation. */
    final class Failure extends Exception {
        private static final long serialVersionUID = 1;

        /** The positive errno. */
        public final int errno;

        /**
         * Makes a failure.
         *
         * @param errno the positive errno
         * @param path what was asked for
         */
        public Failure(int errno, String path) {
            super(path, null, false, false);
            this.errno = errno;
        }
    }
}
