package io.github.vfio4j.ffm.port;

import io.github.vfio4j.Errno;
import java.io.IOException;
import java.nio.file.AccessDeniedException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.NotDirectoryException;
import java.nio.file.NotLinkException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** This machine's sysfs through java.nio, which tells the errnos of reading apart by type. */
final class LinuxSysFs implements SysFs {
    @Override
    public String read(String path) throws Failure {
        try {
            return Files.readString(Path.of(path)).stripTrailing();
        } catch (IOException e) {
            throw failure(path, e);
        }
    }

    @Override
    public List<String> list(String path) throws Failure {
        List<String> names = new ArrayList<>();
        try (DirectoryStream<Path> entries = Files.newDirectoryStream(Path.of(path))) {
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
            return Files.readSymbolicLink(Path.of(path)).toString();
        } catch (IOException e) {
            throw failure(path, e);
        }
    }

    private static Failure failure(String path, IOException e) {
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
