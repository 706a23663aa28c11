package io.github.vfio4j;

/**
 * What a device of an iommufd can be attached to: an {@link Ioas}, for which the kernel chooses a page table of the
 * hardware, a {@link Hwpt}, which the program made, or a {@link NestedHwpt}, which a guest did.
 */
public sealed interface PageTable permits Ioas, Hwpt, NestedHwpt {
    /**
     * Returns the address space that the page table is of.
     *
     * @return the address space; of an address space, itself
     */
    Ioas ioas();
}
