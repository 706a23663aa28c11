package io.github.vfio4j.sim;

import io.github.vfio4j.sim.Type1Iommu.Refusal;
import io.github.vfio4j.spi.Facts;
import java.util.function.Supplier;

/** Whether a type1 IOMMU takes a group. */
class AttachFacts implements Facts {
    private final Supplier<Refusal> refusal;

    AttachFacts(Supplier<Refusal> refusal) {
        this.refusal = refusal;
    }

    private boolean is(Refusal asked) {
        return refusal.get() == asked;
    }

    @Override
    public boolean nestingPossible() {
        return !is(Refusal.NESTING);
    }

    @Override
    public boolean apertureFits() {
        return !is(Refusal.APERTURE);
    }

    @Override
    public boolean reservedIsFree() {
        return !is(Refusal.RESERVED);
    }

    @Override
    public boolean iovasLeft() {
        return !is(Refusal.NOTHING_LEFT);
    }

    @Override
    public boolean interruptsIsolated() {
        return !is(Refusal.INTERRUPTS);
    }

    @Override
    public boolean memoryAccessible() {
        return !is(Refusal.NOT_ACCESSIBLE);
    }

    @Override
    public boolean withinMemlock() {
        return !is(Refusal.MEMLOCK);
    }

    @Override
    public boolean mappingsInReach() {
        return !is(Refusal.OUT_OF_REACH);
    }
}
