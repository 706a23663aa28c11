package io.github.vfio4j.sim;

import io.github.vfio4j.spi.Facts;

/**
 * Whether an address space or a page table takes a device; what its group's rules ask besides is somebody else's answer, and
 * so is what a page table asks that is made for it.
 */
class AttachToFacts implements Facts {
    private final Facts others;
    private final Facts made;

    AttachToFacts(Facts others) {
        this(others, new Facts() {});
    }

    AttachToFacts(Facts others, Facts made) {
        this.others = others;
        this.made = made;
    }

    @Override
    public boolean groupInContainer() {
        return others.groupInContainer();
    }

    @Override
    public boolean iommuSet() {
        return others.iommuSet();
    }

    @Override
    public boolean reservedIsFree() {
        return made.reservedIsFree();
    }

    @Override
    public boolean mappingsAligned() {
        return made.mappingsAligned();
    }

    @Override
    public boolean accessGiven() {
        return made.accessGiven();
    }

    @Override
    public boolean filesAreMemory() {
        return made.filesAreMemory();
    }

    @Override
    public boolean memoryAccessible() {
        return made.memoryAccessible();
    }

    @Override
    public boolean withinMemlock() {
        return made.withinMemlock();
    }
}
