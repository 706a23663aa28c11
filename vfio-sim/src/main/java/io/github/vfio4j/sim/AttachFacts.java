package io.github.vfio4j.sim;

import io.github.vfio4j.spi.Facts;
import java.util.function.Supplier;

/** Whether a type1 IOMMU takes a group: what {@link Type1Iommu#joining} says, asked when a rule does. */
class AttachFacts implements Facts {
    private final Supplier<Facts> joining;

    AttachFacts(Supplier<Facts> joining) {
        this.joining = joining;
    }

    @Override
    public boolean nestingPossible() {
        return joining.get().nestingPossible();
    }

    @Override
    public boolean apertureFits() {
        return joining.get().apertureFits();
    }

    @Override
    public boolean reservedIsFree() {
        return joining.get().reservedIsFree();
    }

    @Override
    public boolean iovasLeft() {
        return joining.get().iovasLeft();
    }

    @Override
    public boolean interruptsIsolated() {
        return joining.get().interruptsIsolated();
    }

    @Override
    public boolean memoryAccessible() {
        return joining.get().memoryAccessible();
    }

    @Override
    public boolean withinMemlock() {
        return joining.get().withinMemlock();
    }

    @Override
    public boolean mappingsInReach() {
        return joining.get().mappingsInReach();
    }
}
