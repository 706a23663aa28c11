package io.github.vfio4j.sim;

/** A page table that devices are attached to (Linux: struct iommufd_hw_pagetable). Guarded by the kernel's lock. */
abstract class PageTableObject extends IommuObject {
    private FaultQueue faults; // null for none

    PageTableObject(Iommufd iommufd) {
        super(iommufd);
    }

    /** Page faults of its devices end in a queue. */
    final void faultsTo(FaultQueue queue) {
        faults = queue;
        queue.users++;
    }

    /** Where page faults of its devices end; null for nowhere. */
    final FaultQueue faults() {
        return faults;
    }

    @Override
    void destroyed() {
        if (faults != null) {
            faults.users--;
        }
    }
}
