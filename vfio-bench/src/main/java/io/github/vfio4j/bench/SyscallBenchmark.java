package io.github.vfio4j.bench;

import static java.lang.foreign.ValueLayout.JAVA_INT;

import io.github.vfio4j.ffm.port.Frame;
import io.github.vfio4j.ffm.port.Syscalls;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;

/** One ioctl through the port, its errno captured: what every call of the library to the kernel costs at least. */
@State(Scope.Thread)
public class SyscallBenchmark {
    private static final int O_RDONLY = 0;
    private static final int FIONREAD = 0x541b;

    private final Syscalls syscalls = Syscalls.linux();
    private final Frame frame = new Frame();
    private int file;

    /** The file that the C side asks, too. */
    @Setup
    public void open() {
        file = syscalls.open(frame, "/etc/passwd", O_RDONLY);
        check(file);
    }

    /** Closes it. */
    @TearDown
    public void close() {
        check(syscalls.close(frame, file));
    }

    /** How many bytes are left to read? */
    @Benchmark
    public int ioctl() {
        check(syscalls.ioctl(frame, file, FIONREAD, frame.arg));
        return frame.arg.get(JAVA_INT, 0);
    }

    private static void check(int result) {
        if (result < 0) {
            throw new IllegalStateException("errno " + -result);
        }
    }
}
