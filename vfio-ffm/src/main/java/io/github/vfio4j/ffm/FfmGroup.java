package io.github.vfio4j.ffm;

import static io.github.vfio4j.ffm.gen.vfio_h.VFIO_GROUP_FLAGS_CONTAINER_SET;
import static io.github.vfio4j.ffm.gen.vfio_h.VFIO_GROUP_FLAGS_VIABLE;
import static io.github.vfio4j.ffm.gen.vfio_h.VFIO_GROUP_GET_DEVICE_FD;
import static io.github.vfio4j.ffm.gen.vfio_h.VFIO_GROUP_GET_STATUS;
import static io.github.vfio4j.ffm.gen.vfio_h.VFIO_GROUP_SET_CONTAINER;
import static io.github.vfio4j.ffm.gen.vfio_h.VFIO_GROUP_UNSET_CONTAINER;

import io.github.vfio4j.GroupStatus;
import io.github.vfio4j.Operation;
import io.github.vfio4j.ffm.gen.vfio_group_status;
import io.github.vfio4j.ffm.port.Frame;
import io.github.vfio4j.spi.ContainerPort;
import io.github.vfio4j.spi.DevicePort;
import io.github.vfio4j.spi.GroupPort;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;
import java.util.UUID;

/** A group file and its ioctls. */
final class FfmGroup implements GroupPort {
    final Fd fd;
    private final long deviceNumber;

    FfmGroup(Fd fd, long deviceNumber) {
        this.fd = fd;
        this.deviceNumber = deviceNumber;
    }

    @Override
    public long deviceNumber() {
        return deviceNumber;
    }

    @Override
    public GroupStatus status() {
        Frame frame = fd.begin(Operation.GROUP_GET_STATUS);
        try {
            vfio_group_status.argsz(frame.arg, (int) vfio_group_status.sizeof());
            vfio_group_status.flags(frame.arg, 0);
            fd.ioctl(Operation.GROUP_GET_STATUS, frame, VFIO_GROUP_GET_STATUS());
            int flags = vfio_group_status.flags(frame.arg);
            return new GroupStatus(
                    (flags & VFIO_GROUP_FLAGS_VIABLE()) != 0, (flags & VFIO_GROUP_FLAGS_CONTAINER_SET()) != 0);
        } finally {
            fd.end(frame);
        }
    }

    @Override
    public void setContainer(ContainerPort container) {
        Fd target = ((FfmContainer) container).fd;
        target.hold(Operation.GROUP_SET_CONTAINER);
        try {
            Frame frame = fd.begin(Operation.GROUP_SET_CONTAINER);
            try {
                frame.arg.set(ValueLayout.JAVA_INT, 0, target.number);
                fd.ioctl(Operation.GROUP_SET_CONTAINER, frame, VFIO_GROUP_SET_CONTAINER());
            } finally {
                fd.end(frame);
            }
        } finally {
            target.release();
        }
    }

    @Override
    public void unsetContainer() {
        fd.ioctl(Operation.GROUP_UNSET_CONTAINER, VFIO_GROUP_UNSET_CONTAINER(), 0);
    }

    @Override
    public DevicePort openDevice(String name, UUID vfToken) {
        Frame frame = fd.begin(Operation.GROUP_GET_DEVICE_FD);
        try {
            String asked = vfToken == null ? name : VfToken.behind(name, vfToken);
            byte[] bytes = asked.getBytes(StandardCharsets.UTF_8);
            if (bytes.length >= Frame.ARG_BYTES) {
                throw new IllegalArgumentException("a device name of " + bytes.length + " bytes");
            }
            frame.arg.setString(0, asked);
            int number = fd.ioctl(Operation.GROUP_GET_DEVICE_FD, frame, VFIO_GROUP_GET_DEVICE_FD());
            return new FfmDevice(new Fd(fd.syscalls, number, name));
        } finally {
            fd.end(frame);
        }
    }

    @Override
    public void close() {
        fd.close();
    }
}
