package io.github.vfio4j.ffm.port;

import io.github.vfio4j.Errno;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;
import java.nio.file.AccessDeniedException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.NotDirectoryException;
import java.nio.file.NotLinkException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * This machine's sysfs. Read through java.nio, which tells the errnos of reading apart by type; written by system calls,
 * since it is the errno of a write that says why a driver refused.
 */
final class LinuxSysFs implements SysFs {
    private static final int O_WRONLY = 1;
    private static final int O_TRUNC = 0x200;

    private final String root;

    LinuxSysFs(String root) {
        this.root = root;
    }

    @Override
    public String read(String path) throws Failure {
        try {
            return Files.readString(Path.of(root + path)).stripTrailing();
        } catch (IOException e) {
            throw failure(path, e);
        }
    }

    @Override
    public List<String> list(String path) throws Failure {
        List<String> names = new ArrayList<>();
        try (DirectoryStream<Path> entries = Files.newDirectoryStream(Path.of(root + path))) {
            for (Path entry : entries) {
                names.add(entry.getFileName().toString());
            }
        } catch (IOException e) {
            throw failure(path, e);
        }
        return names;
    }

    @Override
    public String readLink(String path) throws Failure {
        try {
            return Files.readSymbolicLink(Path.of(root + path)).toString();
        } catch (IOException e) {
            throw failure(path, e);
        }
    }

    @Override
    public void write(String path, String text) throws Failure {
        Syscalls syscalls = LinuxSyscalls.INSTANCE;
        Frame frame = new Frame();
        int fd = syscalls.open(frame, root + path, O_WRONLY | O_TRUNC | Syscalls.O_CLOEXEC);
        if (fd < 0) {
            throw new Failure(-fd, path);
        }
        try (Arena arena = Arena.ofConfined()) {
            byte[] bytes = (text + "\n").getBytes(StandardCharsets.UTF_8);
            MemorySegment source = arena.allocateFrom(ValueLayout.JAVA_BYTE, bytes);
            long written = syscalls.write(frame, fd, source);
            if (written < 0) {
                throw new Failure((int) -written, path);
            }
        } finally {
            syscalls.close(frame, fd);
        }
    }

    static Failure failure(String path, IOException e) {
        Errno errno =
                switch (e) {
                    case NoSuchFileException _ -> Errno.ENOENT;
                    case AccessDeniedException _ -> Errno.EACCES;
                    case NotDirectoryException _ -> Errno.ENOTDIR;
                    case NotLinkException _ -> Errno.EINVAL;
                    default -> Errno.EIO;
                };
        return new Failure(errno.number(), path);
    }
}
