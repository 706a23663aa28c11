package io.github.vfio4j.sim;

import io.github.vfio4j.Operation;
import io.github.vfio4j.spi.Facts;

/** A device that is bound to an iommufd, from its first open to its last close. Guarded by the kernel's lock. */
abstract class BoundDevice extends IommuObject {
    BoundDevice(Iommufd iommufd) {
        super(iommufd);
        users = 1; // the driver's
        if (keepsIommufd()) {
            iommufd.machine.kernel().get(iommufd.file);
        }
    }

    /** Does the iommufd live as long as it is bound? */
    boolean keepsIommufd() {
        return true;
    }

    /** The IOMMU that it is behind; null for a mediated one. */
    SimIommu iommu() {
        return null;
    }

    /**
     * Attaches it to an address space or a page table, or moves it there.
     *
     * @param operation for whom
     * @param others what else that operation's rules ask
     * @return the number of what it is attached to now
     */
    abstract int attach(int to, Operation operation, Facts others);

    abstract void detach();

    /** Attaches a PASID to a page table, or moves it there. */
    void attachPasid(int pasid, int to) {
        KernelError.check(iommufd.machine.profile(), Operation.DEVICE_ATTACH_PASID, new Facts() {
            @Override
            public boolean driverTakesPasids() {
                return false;
            }
        });
    }

    void detachPasid(int pasid) {
        // None is attached.
    }

    /** The device is closed. */
    final void unbind() {
        detach();
        users = 0;
        iommufd.destroy(this);
    }

    @Override
    void destroyed() {
        if (keepsIommufd()) {
            iommufd.machine.kernel().put(iommufd.file);
        }
    }
}
