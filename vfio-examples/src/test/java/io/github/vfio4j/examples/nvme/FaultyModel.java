package io.github.vfio4j.examples.nvme;

import io.github.vfio4j.sim.PciBar;
import io.github.vfio4j.sim.PciBus;
import io.github.vfio4j.sim.PciIdentity;
import io.github.vfio4j.sim.PciModel;
import io.github.vfio4j.sim.nvme.NvmeModel;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.List;

/** The NVMe model, but that it loses completions, or gives them to wrong commands, when it is told to. */
final class FaultyModel implements PciModel {
    private static final int COMPLETION_BYTES = 16;
    private static final long IDENTIFIER = 12;

    private final NvmeModel model = new NvmeModel();
    volatile boolean losesCompletions;
    volatile boolean confusesCommands;
    volatile boolean lostOne;

    @Override
    public PciIdentity identity() {
        return model.identity();
    }

    @Override
    public List<PciBar> bars() {
        return model.bars();
    }

    @Override
    public int vectors() {
        return model.vectors();
    }

    @Override
    public void powerOn(PciBus bus) {
        model.powerOn(new PciBus() {
            @Override
            public MemorySegment bar(int index) {
                return bus.bar(index);
            }

            @Override
            public boolean dmaRead(long iova, MemorySegment target) {
                return bus.dmaRead(iova, target);
            }

            @Override
            public boolean dmaWrite(long iova, MemorySegment source) {
                if (source.byteSize() == COMPLETION_BYTES && losesCompletions) {
                    lostOne = true;
                    return true;
                }
                if (source.byteSize() == COMPLETION_BYTES && confusesCommands) {
                    MemorySegment wrong = Arena.ofAuto().allocate(COMPLETION_BYTES, 8).copyFrom(source);
                    short right = source.get(ValueLayout.JAVA_SHORT, IDENTIFIER);
                    wrong.set(ValueLayout.JAVA_SHORT, IDENTIFIER, (short) (right ^ 1));
                    return bus.dmaWrite(iova, wrong);
                }
                return bus.dmaWrite(iova, source);
            }

            @Override
            public void raise(int vector) {
                bus.raise(vector);
            }

            @Override
            public void setLine(boolean asserted) {
                bus.setLine(asserted);
            }
        });
    }

    @Override
    public void reset() {
        model.reset();
    }

    @Override
    public void powerOff() {
        model.powerOff();
    }
}
