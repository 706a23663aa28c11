package io.github.vfio4j.sim;

import io.github.vfio4j.spi.Facts;

/** Whether an address space or a page table takes a device; what its group's rules ask besides is somebody else's answer. */
class AttachToFacts implements Facts {
    private final Facts others;

    AttachToFacts(Facts others) {
        this.others = others;
    }

    @Override
    public boolean groupInContainer() {
        return others.groupInContainer();
    }

    @Override
    public boolean iommuSet() {
        return others.iommuSet();
    }
}
