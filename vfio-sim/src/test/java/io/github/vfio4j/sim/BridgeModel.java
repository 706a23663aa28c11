package io.github.vfio4j.sim;

import java.util.List;

/** A bridge to a bus behind it. */
public record BridgeModel() implements PciModel {
    @Override
    public PciIdentity identity() {
        return new PciIdentity(0x1b36, 0x000e, 0x060400);
    }

    @Override
    public List<PciBar> bars() {
        return List.of();
    }
}
