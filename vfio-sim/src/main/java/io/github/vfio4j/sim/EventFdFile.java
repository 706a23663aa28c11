package io.github.vfio4j.sim;

import io.github.vfio4j.Errno;
import io.github.vfio4j.KernelProfile;
import io.github.vfio4j.ffm.port.Syscalls;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/** An open eventfd. */
final class EventFdFile extends PollableFile {
    private static final int SEMAPHORE = 1; // EFD_SEMAPHORE
    private static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG_UNALIGNED;

    final EventFd event;
    private final boolean block;

    private EventFdFile(EventFd event, boolean block) {
        this.event = event;
        this.block = block;
    }

    static EventFdFile open(int initial, int flags) {
        if ((flags & ~(SEMAPHORE | Syscalls.EFD_CLOEXEC | Syscalls.EFD_NONBLOCK)) != 0) {
            throw new KernelError(Errno.EINVAL);
        }
        EventFd event = new EventFd(Integer.toUnsignedLong(initial), (flags & SEMAPHORE) != 0);
        return new EventFdFile(event, (flags & Syscalls.EFD_NONBLOCK) == 0);
    }

    @Override
    Readiness readiness() {
        return event;
    }

    @Override
    long read(SimProcess caller, MemorySegment target) {
        checkSize(target);
        target.set(LONG, 0, event.read(block, caller::dead));
        return Long.BYTES;
    }

    @Override
    long write(SimProcess caller, MemorySegment source) {
        checkSize(source);
        boolean exact = !caller.machine().profile().isBefore(KernelProfile.V6_12);
        if (exact && source.byteSize() != Long.BYTES) {
            throw new KernelError(Errno.EINVAL);
        }
        event.write(source.get(LONG, 0), block, caller::dead);
        return Long.BYTES;
    }

    @Override
    void wake() {
        event.wake();
    }

    @Override
    void release() {
        event.closed(); // the counter lives on with the interrupts that use it
    }

    @Override
    public String toString() {
        return "eventfd";
    }

    private static void checkSize(MemorySegment buffer) {
        if (buffer.byteSize() < Long.BYTES) {
            throw new KernelError(Errno.EINVAL);
        }
    }
}
