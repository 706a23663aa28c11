package io.github.vfio4j;

/**
 * What a device of an iommufd can be attached to: an {@link Ioas}, for which the kernel chooses a page table of the
 * hardware, or a {@link Hwpt}, which the program made.
 */
public sealed interface PageTable permits Ioas, Hwpt {
    /**
     * Returns the address space that the page table is of.
     *
     * @return the address space; of an address space, itself
     */
    Ioas ioas();
}
