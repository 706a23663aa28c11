package io.github.vfio4j.spi;

/** Finds the kernel that this process runs on; located with {@link java.util.ServiceLoader}. */
public interface KernelProvider {
    /**
     * Returns this process's kernel, always the same object.
     *
     * @return the kernel
     */
    Kernel kernel();
}
