package io.github.vfio4j.examples.nvme;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import io.github.vfio4j.sim.PciBar;
import io.github.vfio4j.sim.PciBus;
import io.github.vfio4j.sim.PciIdentity;
import io.github.vfio4j.sim.PciModel;
import java.util.List;

/** A controller that shows CAP and CSTS and never does anything. */
final class FrozenModel implements PciModel {
    /** The NVM command set, and half a second for each change of CSTS.RDY. */
    static final long CAPABILITIES = 1L << 37 | 1 << 24 | 63;

    private final long capabilities;
    private final int configuration;
    private final int status;

    FrozenModel(long capabilities, int configuration, int status) {
        this.capabilities = capabilities;
        this.configuration = configuration;
        this.status = status;
    }

    @Override
    public PciIdentity identity() {
        return new PciIdentity(0x1b36, 0x0010, 0x010802);
    }

    @Override
    public List<PciBar> bars() {
        return List.of(new PciBar(0, 16 << 10, true));
    }

    @Override
    public void powerOn(PciBus bus) {
        bus.bar(0).set(JAVA_LONG, 0x00, capabilities);
        bus.bar(0).set(JAVA_INT, 0x14, configuration);
        bus.bar(0).set(JAVA_INT, 0x1c, status);
    }
}
