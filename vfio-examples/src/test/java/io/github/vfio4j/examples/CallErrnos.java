package io.github.vfio4j.examples;

import io.github.vfio4j.Errno;
import java.util.List;
import java.util.Map;

/**
 * The errnos that each system call of the library can end with, from the manual pages (section 2, "ERRORS") and, for
 * ioctls and for files of VFIO, from drivers/vfio, drivers/iommu and mm of Linux 6.1 to 7.2. Those are left out that only
 * a wrong argument gives which the library cannot pass, as EFAULT for a bad path.
 */
final class CallErrnos {
    private static final Errno EFBIG = new Errno(27);
    private static final Errno ETIMEDOUT = new Errno(110);

    private static final Map<String, List<Errno>> OF_CALLS = Map.ofEntries(
            // The nodes: VFS, vfio_fops_open, vfio_group_fops_open.
            Map.entry(
                    "open",
                    List.of(
                            Errno.ENOENT,
                            Errno.EACCES,
                            Errno.EPERM,
                            Errno.EBUSY,
                            Errno.ENODEV,
                            Errno.ENXIO,
                            Errno.EMFILE,
                            Errno.ENFILE,
                            Errno.ENOMEM,
                            Errno.EINTR)),
            Map.entry("close", List.of(Errno.EIO, Errno.EINTR)), // the descriptor is gone all the same
            Map.entry("access", List.of(Errno.ENOENT, Errno.EACCES)),
            Map.entry("statx", List.of(Errno.ENOENT, Errno.EACCES, Errno.ENOMEM)),
            // mmap(2); vfio_pci_core_mmap: EINVAL, EBUSY and ENOMEM for a BAR that cannot be had.
            Map.entry(
                    "mmap",
                    List.of(Errno.EINVAL, Errno.ENOMEM, Errno.EAGAIN, Errno.EBUSY, Errno.ENODEV, Errno.EPERM)),
            Map.entry("munmap", List.of(Errno.EINVAL, Errno.ENOMEM)), // ENOMEM: a mapping had to be split
            Map.entry("vacate", List.of(Errno.ENOMEM)), // mmap(2) with MAP_FIXED
            // eventfd(2); EIO is none of its own, but what if?
            Map.entry("read", List.of(Errno.EINTR, Errno.EAGAIN, Errno.EIO)),
            Map.entry("write", List.of(Errno.EINTR, Errno.EAGAIN, Errno.EIO)),
            // vfio_pci_rw: EIO for power and for memory decode that is off.
            Map.entry("pread", List.of(Errno.EIO, Errno.EFAULT, Errno.EINVAL, Errno.EINTR)),
            Map.entry("pwrite", List.of(Errno.EIO, Errno.EFAULT, Errno.EINVAL, Errno.EINTR)),
            Map.entry("eventfd", List.of(Errno.EMFILE, Errno.ENFILE, Errno.ENODEV, Errno.ENOMEM)),
            Map.entry("epoll_create", List.of(Errno.EMFILE, Errno.ENFILE, Errno.ENOMEM)),
            Map.entry("epoll_ctl", List.of(Errno.ENOMEM, Errno.ENOSPC)), // max_user_watches
            Map.entry("epoll_wait", List.of(Errno.EINTR)),
            // kernfs: open, read, readdir and readlink.
            Map.entry("sysfs", List.of(Errno.ENOENT, Errno.EACCES, Errno.EIO, Errno.ENODEV, Errno.ENOMEM, Errno.EMFILE)));

    private static final Map<Integer, List<Errno>> OF_IOCTLS = Map.ofEntries(
            // VFIO_GET_API_VERSION and VFIO_CHECK_EXTENSION: only where the node is no container.
            Map.entry(0x3b64, List.of(Errno.ENOTTY, Errno.EINVAL)),
            Map.entry(0x3b65, List.of(Errno.ENOTTY, Errno.EINVAL)),
            // VFIO_SET_IOMMU: vfio_ioctl_set_iommu, vfio_iommu_type1_attach_group
            Map.entry(
                    0x3b66,
                    List.of(
                            Errno.EINVAL,
                            Errno.ENODEV,
                            Errno.EPERM,
                            Errno.EBUSY,
                            Errno.ENOMEM,
                            Errno.EIO,
                            Errno.EOPNOTSUPP)),
            // VFIO_GROUP_GET_STATUS
            Map.entry(0x3b67, List.of(Errno.EFAULT, Errno.EINVAL, Errno.ENODEV)),
            // VFIO_GROUP_SET_CONTAINER: vfio_group_ioctl_set_container, vfio_container_attach_group
            Map.entry(
                    0x3b68,
                    List.of(
                            Errno.EFAULT,
                            Errno.EBADF,
                            Errno.EINVAL,
                            Errno.ENODEV,
                            Errno.EBADFD,
                            Errno.EPERM,
                            Errno.EBUSY,
                            Errno.ENOMEM)),
            // VFIO_GROUP_UNSET_CONTAINER
            Map.entry(0x3b69, List.of(Errno.EINVAL, Errno.EBUSY)),
            // VFIO_GROUP_GET_DEVICE_FD: vfio_group_ioctl_get_device_fd, vfio_pci_core_enable
            Map.entry(
                    0x3b6a,
                    List.of(
                            Errno.EFAULT,
                            Errno.EINVAL,
                            Errno.ENODEV,
                            Errno.EPERM,
                            Errno.EACCES,
                            Errno.EMFILE,
                            Errno.ENFILE,
                            Errno.ENOMEM,
                            Errno.EAGAIN,
                            Errno.EBUSY,
                            Errno.EIO)),
            // VFIO_DEVICE_GET_INFO, _GET_REGION_INFO, _GET_IRQ_INFO
            Map.entry(0x3b6b, List.of(Errno.EFAULT, Errno.EINVAL, Errno.ENOMEM, Errno.EIO)),
            Map.entry(0x3b6c, List.of(Errno.EFAULT, Errno.EINVAL, Errno.ENOMEM, Errno.EIO)),
            Map.entry(0x3b6d, List.of(Errno.EFAULT, Errno.EINVAL, Errno.EIO)),
            // VFIO_DEVICE_SET_IRQS: vfio_pci_set_irqs_ioctl and below, pci_alloc_irq_vectors, request_irq
            Map.entry(
                    0x3b6e,
                    List.of(
                            Errno.EFAULT,
                            Errno.EINVAL,
                            Errno.ENOTTY,
                            Errno.EBADF,
                            Errno.EBUSY,
                            Errno.ENODEV,
                            Errno.ENOMEM,
                            Errno.ENOSPC,
                            Errno.ERANGE,
                            Errno.EIO)),
            // VFIO_DEVICE_BIND_IOMMUFD: vfio_df_ioctl_bind_iommufd, iommufd_device_bind, vfio_pci_core_enable
            Map.entry(
                    0x3b76,
                    List.of(
                            Errno.EINVAL,
                            Errno.EBUSY,
                            Errno.EPERM,
                            Errno.ENODEV,
                            Errno.EBADF,
                            Errno.EBADFD,
                            Errno.ENOMEM,
                            Errno.EAGAIN,
                            Errno.ENOTTY,
                            Errno.EIO)),
            // VFIO_DEVICE_ATTACH_IOMMUFD_PT: iommufd_device_change_pt, iopt_table_add_domain
            Map.entry(
                    0x3b77,
                    List.of(
                            Errno.ENOENT,
                            Errno.EINVAL,
                            Errno.EADDRINUSE,
                            Errno.EBUSY,
                            Errno.ENOMEM,
                            Errno.EFAULT,
                            Errno.ENODEV,
                            Errno.EOPNOTSUPP)),
            // VFIO_DEVICE_DETACH_IOMMUFD_PT
            Map.entry(0x3b78, List.of(Errno.EINVAL, Errno.EIO)),
            // IOMMU_DESTROY, _IOAS_ALLOC, _IOAS_IOVA_RANGES, _IOAS_MAP, _IOAS_UNMAP
            Map.entry(0x3b80, List.of(Errno.ENOENT, Errno.EBUSY, Errno.EINVAL)),
            Map.entry(0x3b81, List.of(Errno.ENOMEM, Errno.EOPNOTSUPP, Errno.ENOTTY)),
            Map.entry(0x3b84, List.of(Errno.ENOENT, Errno.EFAULT, Errno.EOPNOTSUPP)),
            Map.entry(
                    0x3b85,
                    List.of(
                            Errno.ENOENT,
                            Errno.EINVAL,
                            Errno.EOVERFLOW,
                            Errno.EEXIST,
                            Errno.ENOMEM,
                            Errno.EFAULT,
                            Errno.EOPNOTSUPP,
                            Errno.EINTR)),
            Map.entry(0x3b86, List.of(Errno.ENOENT, Errno.EINVAL, Errno.EBUSY, Errno.EOVERFLOW, Errno.ENOMEM)),
            // VFIO_DEVICE_RESET: pci_try_reset_function
            Map.entry(0x3b6f, List.of(Errno.EINVAL, Errno.EAGAIN, Errno.ENOTTY, Errno.EIO, ETIMEDOUT)),
            // VFIO_IOMMU_GET_INFO
            Map.entry(0x3b70, List.of(Errno.EFAULT, Errno.EINVAL, Errno.ENOMEM)),
            // VFIO_IOMMU_MAP_DMA: vfio_dma_do_map, vfio_pin_map_dma
            Map.entry(
                    0x3b71,
                    List.of(
                            Errno.EFAULT,
                            Errno.EINVAL,
                            Errno.EOVERFLOW,
                            Errno.EEXIST,
                            Errno.ENOSPC,
                            Errno.ENOMEM,
                            Errno.EBUSY,
                            Errno.EINTR,
                            EFBIG)),
            // VFIO_IOMMU_UNMAP_DMA: vfio_dma_do_unmap
            Map.entry(0x3b72, List.of(Errno.EFAULT, Errno.EINVAL, Errno.EOVERFLOW, Errno.ENOMEM, Errno.EBUSY)),
            // VFIO_IOMMU_DIRTY_PAGES
            Map.entry(0x3b75, List.of(Errno.EFAULT, Errno.EINVAL, Errno.ENOMEM, Errno.ENOTTY)));

    private CallErrnos() {}

    /** What a call can end with. A call that is not in the table is a gap in it. */
    static List<Errno> of(String call, int request) {
        List<Errno> errnos = call.equals("ioctl") ? OF_IOCTLS.get(request) : OF_CALLS.get(call);
        if (errnos == null) {
            throw new AssertionError("no errnos for %s 0x%x: add them here".formatted(call, request));
        }
        return errnos;
    }
}
