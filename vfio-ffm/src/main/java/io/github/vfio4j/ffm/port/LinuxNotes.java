package io.github.vfio4j.ffm.port;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.List;
import java.util.stream.Stream;

/** Notes in files. {@code /run} is a file system in memory, which a boot finds empty: drivers are as new then, too. */
final class LinuxNotes implements Notes {
    private static final String UNFINISHED = ".new";
    private static final int START_TIME = 19; // field 22 of /proc/PID/stat, of those behind the command's name

    private final Path root;
    private final Path directory;

    LinuxNotes(Path root) {
        this.root = root;
        this.directory = root.resolve("run/vfio4j");
    }

    @Override
    public List<String> names() throws SysFs.Failure {
        try (Stream<Path> files = Files.list(directory)) {
            return files.map(file -> file.getFileName().toString())
                    .filter(name -> !name.endsWith(UNFINISHED))
                    .toList();
        } catch (NoSuchFileException e) {
            return List.of();
        } catch (IOException e) {
            throw LinuxSysFs.failure(directory.toString(), e);
        }
    }

    @Override
    public String read(String name) throws SysFs.Failure {
        Path file = directory.resolve(name);
        try {
            return Files.readString(file);
        } catch (IOException e) {
            throw LinuxSysFs.failure(file.toString(), e);
        }
    }

    @Override
    public void write(String name, String text) throws SysFs.Failure {
        Path file = directory.resolve(name);
        try {
            Files.createDirectories(directory);
            Path unfinished = directory.resolve(name + "." + program() + UNFINISHED);
            Files.writeString(unfinished, text);
            Files.move(unfinished, file, StandardCopyOption.ATOMIC_MOVE);
        } catch (IOException e) {
            throw LinuxSysFs.failure(file.toString(), e);
        }
    }

    @Override
    public void remove(String name) throws SysFs.Failure {
        Path file = directory.resolve(name);
        try {
            Files.deleteIfExists(file);
        } catch (IOException e) {
            throw LinuxSysFs.failure(file.toString(), e);
        }
    }

    @Override
    public String program() {
        long pid = ProcessHandle.current().pid();
        return pid + "-" + startOf(pid);
    }

    @Override
    public boolean isRunning(String program) {
        String[] parts = program.split("-");
        return parts.length == 2 && parts[0].matches("[0-9]{1,18}") && parts[1].equals(startOf(Long.parseLong(parts[0])));
    }

    /** When a process started, in clock ticks since boot: process numbers are used again. Empty if there is none. */
    private String startOf(long pid) {
        try {
            String stat = Files.readString(root.resolve("proc/" + pid + "/stat"));
            return stat.substring(stat.lastIndexOf(')') + 2).split(" ")[START_TIME];
        } catch (IOException e) {
            return "";
        }
    }
}
