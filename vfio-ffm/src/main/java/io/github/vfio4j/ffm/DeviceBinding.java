package io.github.vfio4j.ffm;

import static io.github.vfio4j.ffm.gen.vfio_h.VFIO_DEVICE_ATTACH_IOMMUFD_PT;
import static io.github.vfio4j.ffm.gen.vfio_h.VFIO_DEVICE_ATTACH_PASID;
import static io.github.vfio4j.ffm.gen.vfio_h.VFIO_DEVICE_BIND_FLAG_TOKEN;
import static io.github.vfio4j.ffm.gen.vfio_h.VFIO_DEVICE_BIND_IOMMUFD;
import static io.github.vfio4j.ffm.gen.vfio_h.VFIO_DEVICE_DETACH_IOMMUFD_PT;
import static io.github.vfio4j.ffm.gen.vfio_h.VFIO_DEVICE_DETACH_PASID;

import io.github.vfio4j.Operation;
import io.github.vfio4j.ffm.gen.vfio_device_attach_iommufd_pt;
import io.github.vfio4j.ffm.gen.vfio_device_bind_iommufd;
import io.github.vfio4j.ffm.gen.vfio_device_detach_iommufd_pt;
import io.github.vfio4j.ffm.port.Frame;
import java.util.UUID;

/**
 * What binds a device to an iommufd and attaches it. Older kernels know shorter structs and look at no more than they
 * know, so each call says as much as it uses.
 */
final class DeviceBinding {
    private static final long BIND_BYTES = vfio_device_bind_iommufd.token_uuid_ptr$offset();
    private static final long TOKEN_BIND_BYTES = vfio_device_bind_iommufd.sizeof();
    private static final long ATTACH_BYTES = vfio_device_attach_iommufd_pt.pasid$offset();
    private static final long DETACH_BYTES = vfio_device_detach_iommufd_pt.pasid$offset();

    private DeviceBinding() {}

    /** Returns the device's number in the iommufd. The token lies behind the struct that points to it. */
    static int bind(Fd device, Fd iommufd, UUID vfToken) {
        iommufd.hold(Operation.DEVICE_BIND_IOMMUFD);
        try {
            Frame frame = device.begin(Operation.DEVICE_BIND_IOMMUFD);
            try {
                boolean token = vfToken != null;
                vfio_device_bind_iommufd.argsz(frame.arg, (int) (token ? TOKEN_BIND_BYTES : BIND_BYTES));
                vfio_device_bind_iommufd.flags(frame.arg, token ? VFIO_DEVICE_BIND_FLAG_TOKEN() : 0);
                if (token) {
                    VfToken.write(frame.arg.asSlice(TOKEN_BIND_BYTES), vfToken);
                    vfio_device_bind_iommufd.token_uuid_ptr(frame.arg, frame.arg.address() + TOKEN_BIND_BYTES);
                }
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

    static void attachPasid(Fd device, int pasid, int pageTable) {
        Frame frame = device.begin(Operation.DEVICE_ATTACH_PASID);
        try {
            vfio_device_attach_iommufd_pt.argsz(frame.arg, (int) vfio_device_attach_iommufd_pt.sizeof());
            vfio_device_attach_iommufd_pt.flags(frame.arg, VFIO_DEVICE_ATTACH_PASID());
            vfio_device_attach_iommufd_pt.pt_id(frame.arg, pageTable);
            vfio_device_attach_iommufd_pt.pasid(frame.arg, pasid);
            device.ioctl(Operation.DEVICE_ATTACH_PASID, frame, VFIO_DEVICE_ATTACH_IOMMUFD_PT());
        } finally {
            device.end(frame);
        }
    }

    static void detachPasid(Fd device, int pasid) {
        Frame frame = device.begin(Operation.DEVICE_DETACH_PASID);
        try {
            vfio_device_detach_iommufd_pt.argsz(frame.arg, (int) vfio_device_detach_iommufd_pt.sizeof());
            vfio_device_detach_iommufd_pt.flags(frame.arg, VFIO_DEVICE_DETACH_PASID());
            vfio_device_detach_iommufd_pt.pasid(frame.arg, pasid);
            device.ioctl(Operation.DEVICE_DETACH_PASID, frame, VFIO_DEVICE_DETACH_IOMMUFD_PT());
        } finally {
            device.end(frame);
        }
    }
}
