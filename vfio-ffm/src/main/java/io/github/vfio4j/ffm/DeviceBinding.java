package io.github.vfio4j.ffm;

import static io.github.vfio4j.ffm.gen.vfio_h.VFIO_DEVICE_ATTACH_IOMMUFD_PT;
import static io.github.vfio4j.ffm.gen.vfio_h.VFIO_DEVICE_BIND_IOMMUFD;
import static io.github.vfio4j.ffm.gen.vfio_h.VFIO_DEVICE_DETACH_IOMMUFD_PT;

import io.github.vfio4j.Operation;
import io.github.vfio4j.ffm.gen.vfio_device_attach_iommufd_pt;
import io.github.vfio4j.ffm.gen.vfio_device_bind_iommufd;
import io.github.vfio4j.ffm.gen.vfio_device_detach_iommufd_pt;
import io.github.vfio4j.ffm.port.Frame;

/**
 * What binds a device to an iommufd and attaches it. Older kernels know shorter structs and look at no more than they
 * know, so each call says as much as it uses.
 */
final class DeviceBinding {
    private static final long BIND_BYTES = vfio_device_bind_iommufd.token_uuid_ptr$offset();
    private static final long ATTACH_BYTES = vfio_device_attach_iommufd_pt.pasid$offset();
    private static final long DETACH_BYTES = vfio_device_detach_iommufd_pt.pasid$offset();

    private DeviceBinding() {}

    /** Returns the device's number in the iommufd. */
    static int bind(Fd device, Fd iommufd) {
        iommufd.hold(Operation.DEVICE_BIND_IOMMUFD);
        try {
            Frame frame = device.begin(Operation.DEVICE_BIND_IOMMUFD);
            try {
                vfio_device_bind_iommufd.argsz(frame.arg, (int) BIND_BYTES);
                vfio_device_bind_iommufd.flags(frame.arg, 0);
                vfio_device_bind_iommufd.iommufd(frame.arg, iommufd.number);
                vfio_device_bind_iommufd.out_devid(frame.arg, 0);
                device.ioctl(Operation.DEVICE_BIND_IOMMUFD, frame, VFIO_DEVICE_BIND_IOMMUFD());
                return vfio_device_bind_iommufd.out_devid(frame.arg);
            } finally {
                device.end(frame);
            }
        } finally {
            iommufd.release();
        }
    }

    static void attach(Fd device, int pageTable) {
        Frame frame = device.begin(Operation.DEVICE_ATTACH_IOMMUFD_PT);
        try {
            vfio_device_attach_iommufd_pt.argsz(frame.arg, (int) ATTACH_BYTES);
            vfio_device_attach_iommufd_pt.flags(frame.arg, 0);
            vfio_device_attach_iommufd_pt.pt_id(frame.arg, pageTable);
            device.ioctl(Operation.DEVICE_ATTACH_IOMMUFD_PT, frame, VFIO_DEVICE_ATTACH_IOMMUFD_PT());
        } finally {
            device.end(frame);
        }
    }

    static void detach(Fd device) {
        Frame frame = device.begin(Operation.DEVICE_DETACH_IOMMUFD_PT);
        try {
            vfio_device_detach_iommufd_pt.argsz(frame.arg, (int) DETACH_BYTES);
            vfio_device_detach_iommufd_pt.flags(frame.arg, 0);
            device.ioctl(Operation.DEVICE_DETACH_IOMMUFD_PT, frame, VFIO_DEVICE_DETACH_IOMMUFD_PT());
        } finally {
            device.end(frame);
        }
    }
}
