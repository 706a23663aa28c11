package io.github.vfio4j.ffm;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT;

import io.github.vfio4j.Contract;
import io.github.vfio4j.Errno;
import io.github.vfio4j.Vfio;
import io.github.vfio4j.ffm.port.Frame;
import io.github.vfio4j.ffm.port.Notes;
import io.github.vfio4j.ffm.port.SysFs;
import io.github.vfio4j.ffm.port.Syscalls;
import java.lang.foreign.MemorySegment;
import java.lang.reflect.Proxy;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.function.LongToIntFunction;
import java.util.function.ToIntFunction;

/**
 * The kernel of a machine that is not at hand. Files open, groups are viable and join containers, and memory is this
 * machine's; a test answers the ioctls that it is about, byte by byte, and reads and writes of device files.
 */
class MadeKernel extends NoSyscalls {
    private static final int CHECK_EXTENSION = 0x3b65;
    private static final int GET_STATUS = 0x3b67;
    private static final int GET_DEVICE_FD = 0x3b6a;

    /** The ioctls with a struct that a test answers; what is not there agrees. */
    final Map<Integer, ToIntFunction<MemorySegment>> answers = new HashMap<>();

    /** The extensions of containers. */
    final List<Long> extensions = new ArrayList<>();

    /** The ioctls with a number that a test answers. */
    final Map<Integer, LongToIntFunction> numbers = new HashMap<>();

    /** The other ioctls with a number that fail. */
    final Map<Integer, Errno> failures = new HashMap<>();

    /** Ioctls, reads and writes of a device since the test looked last; not the questions on the way to it. */
    final List<String> calls = new ArrayList<>();

    /** What is in the device's file. */
    byte[] file = new byte[0];

    /** What a write of the device file fails with; null for nothing. */
    Errno writeError;

    private final Syscalls linux = Syscalls.linux();
    private int nextFile = 1_000_000; // no descriptor of Linux

    Vfio vfio() {
        return vfio(4096);
    }

    /** One with pages of a size. */
    Vfio vfio(long pageSize) {
        SysFs none = (SysFs) Proxy.newProxyInstance(
                SysFs.class.getClassLoader(), new Class<?>[] {SysFs.class}, (_, _, arguments) -> {
                    throw new SysFs.Failure(Errno.ENOENT.number(), (String) arguments[0]);
                });
        return Vfio.on(new FfmKernel("made", this, none, Notes.linux(), pageSize), Contract.STRICT);
    }

    /** Returns the calls since the last time and forgets them. */
    List<String> newCalls() {
        List<String> result = List.copyOf(calls);
        calls.clear();
        return result;
    }

    /** Answers every ioctl of a number so. */
    void answer(int request, ToIntFunction<MemorySegment> kernel) {
        answers.put(request, kernel);
    }

    @Override
    public int open(Frame frame, String path, int flags) {
        return nextFile++;
    }

    @Override
    public int statx(Frame frame, int fd, String path, int flags) {
        return 0;
    }

    @Override
    public int dup(Frame frame, int fd) {
        return nextFile++;
    }

    @Override
    public int close(Frame frame, int fd) {
        return fd >= 1_000_000 ? 0 : linux.close(frame, fd);
    }

    @Override
    public int ioctl(Frame frame, int fd, int request, long value) {
        if (request == CHECK_EXTENSION) {
            return extensions.contains(value) ? 1 : 0;
        }
        calls.add("%x %d".formatted(request, value));
        if (numbers.containsKey(request)) {
            return numbers.get(request).applyAsInt(value);
        }
        return failures.containsKey(request) ? -failures.get(request).number() : 0;
    }

    @Override
    public int ioctl(Frame frame, int fd, int request, MemorySegment argument) {
        if (request == GET_STATUS) {
            argument.set(JAVA_INT, 4, 3); // viable, in a container
            return 0;
        }
        if (request == GET_DEVICE_FD) {
            return nextFile++;
        }
        calls.add("%x".formatted(request));
        return answers.getOrDefault(request, _ -> 0).applyAsInt(argument);
    }

    @Override
    public long pread(Frame frame, int fd, MemorySegment target, long offset) {
        calls.add("read %d at %x".formatted(target.byteSize(), offset));
        MemorySegment.copy(file, (int) offset, target, JAVA_BYTE, 0, (int) target.byteSize());
        return target.byteSize();
    }

    @Override
    public long pwrite(Frame frame, int fd, MemorySegment source, long offset) {
        calls.add("write %s at %x".formatted(HexFormat.of().formatHex(source.toArray(JAVA_BYTE)), offset));
        return writeError != null ? -writeError.number() : source.byteSize();
    }

    @Override
    public int eventfd(Frame frame, int initial, int flags) {
        return linux.eventfd(frame, initial, flags);
    }

    @Override
    public long mmap(Frame frame, long length, int prot, int flags, int fd, long offset) {
        return linux.mmap(frame, length, prot, flags, fd, offset);
    }

    @Override
    public int munmap(Frame frame, long address, long length) {
        return linux.munmap(frame, address, length);
    }

    @Override
    public int vacate(Frame frame, long address, long length) {
        return linux.vacate(frame, address, length);
    }

    @Override
    public void giveBack(long address, long length) {
        linux.giveBack(address, length);
    }
}
