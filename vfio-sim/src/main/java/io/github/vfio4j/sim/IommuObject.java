package io.github.vfio4j.sim;

/**
 * An object of an iommufd, which programs know by its number (Linux: struct iommufd_object). Guarded by the kernel's
 * lock.
 */
abstract class IommuObject {
    final Iommufd iommufd;
    final int id;

    /** Other objects and files that use it; only what nobody uses is destroyed. */
    int users;

    /** Takes the lowest free number. */
    IommuObject(Iommufd iommufd) {
        this.iommufd = iommufd;
        this.id = iommufd.freeId();
        iommufd.add(this);
    }

    /** It has no number any more, and gives up what it uses. */
    abstract void destroyed();
}
