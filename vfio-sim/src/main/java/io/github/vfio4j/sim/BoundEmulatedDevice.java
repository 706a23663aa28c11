package io.github.vfio4j.sim;

import io.github.vfio4j.Operation;
import io.github.vfio4j.spi.Facts;

/**
 * A mediated device that is bound to an iommufd (Linux: struct iommufd_access). Its driver asks for each page when it
 * needs it.
 */
final class BoundEmulatedDevice extends BoundDevice {
    private final EmulatedDevice device;
    private Ioas ioas; // null while not attached

    BoundEmulatedDevice(Iommufd iommufd, EmulatedDevice device) {
        super(iommufd);
        this.device = device;
    }

    @Override
    int attach(int to, Operation operation, Facts others) {
        Ioas target = iommufd.find(to, Ioas.class);
        KernelError.check(iommufd.machine.profile(), operation, new AttachToFacts(others) {
            @Override
            public boolean objectKnown() {
                return target != null;
            }

            @Override
            public boolean mappingsAligned() {
                return target.isAligned(Math.max(target.alignment(), Memory.PAGE));
            }
        });
        if (target != ioas) {
            detach();
            ioas = target;
            ioas.users++;
            ioas.emulatedDevices(1);
        }
        return to;
    }

    @Override
    void detach() {
        if (ioas != null) {
            ioas.emulatedDevices(-1);
            ioas.users--;
            ioas = null;
        }
    }

    @Override
    public String toString() {
        return "device " + id + ": " + device.name;
    }
}
