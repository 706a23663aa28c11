package io.github.vfio4j.sim;

import io.github.vfio4j.Errno;
import java.lang.foreign.MemorySegment;

/**
 * An open file of the simulated kernel (Linux: struct file). Descriptors, calls in flight, memory mappings and open
 * devices hold references to it; the last one that goes releases it. The operations are called without the kernel's lock,
 * by a caller that holds a reference.
 */
abstract class SimFile {
    /** S_IFCHR. */
    static final int CHARACTER_DEVICE = 0x2000;

    /** Guarded by the kernel's lock. Starts with the one of whoever opens it. */
    int references = 1;

    int ioctl(SimProcess caller, int request, UserMemory argument) {
        throw new KernelError(Errno.ENOTTY);
    }

    long read(SimProcess caller, MemorySegment target) {
        throw new KernelError(Errno.EINVAL);
    }

    long write(SimProcess caller, MemorySegment source) {
        throw new KernelError(Errno.EINVAL);
    }

    long pread(MemorySegment target, long offset) {
        throw new KernelError(Errno.EINVAL);
    }

    long pwrite(MemorySegment source, long offset) {
        throw new KernelError(Errno.EINVAL);
    }

    /** Makes the mapping of a shared or private mmap. The kernel's lock is held. */
    Vma map(long offset, long length, int prot, boolean shared) {
        throw new KernelError(Errno.ENODEV);
    }

    /** Gives the file memory up to an end. The kernel's lock is held. */
    void allocate(long end) {
        throw new KernelError(Errno.ENODEV);
    }

    /** Adds F_SEAL_... The kernel's lock is held. */
    void seal(int seals) {
        throw new KernelError(Errno.EINVAL);
    }

    /** F_SEAL_... of it. The kernel's lock is held. */
    int seals() {
        throw new KernelError(Errno.EINVAL);
    }

    /** What stat says of its size, in bytes. The kernel's lock is held. */
    long size() {
        return 0;
    }

    /** What stat says of its blocks, in bytes. */
    int blockSize() {
        return (int) Memory.PAGE;
    }

    /** Lets those who wait in an operation see that their process died. The kernel's lock is held. */
    void wake() {
        // Most operations wait for nobody.
    }

    /** Does what is mapped of it answer, so that a touch is no SIGBUS? The kernel's lock is held. */
    boolean mappingAnswers() {
        return true;
    }

    /** The node that was opened; none for files without a node. */
    DeviceNumber deviceNumber() {
        return DeviceNumber.NONE;
    }

    /** What kind of file stat says it is, S_IFMT; 0 for an anonymous one. */
    int mode() {
        return deviceNumber().equals(DeviceNumber.NONE) ? 0 : CHARACTER_DEVICE;
    }

    /** The last reference is gone. Called once, without the kernel's lock. */
    abstract void release();

    /** Names the file for people, such as {@code /dev/vfio/26}. */
    @Override
    public abstract String toString();
}
