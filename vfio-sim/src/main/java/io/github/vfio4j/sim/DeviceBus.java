package io.github.vfio4j.sim;

import io.github.vfio4j.sim.DmaFault.Reason;
import java.lang.foreign.MemorySegment;

/** The bus that one power-on of a model sees. Takes neither the kernel's lock nor the device's. */
final class DeviceBus implements PciBus {
    private final VfioDevice device;
    private final Power power;
    private volatile boolean off;

    DeviceBus(VfioDevice device, Power power) {
        this.device = device;
        this.power = power;
    }

    void off() {
        off = true;
    }

    @Override
    public MemorySegment bar(int index) {
        if (!device.function.bars.mappable(index)) {
            throw new IllegalArgumentException(
                    "BAR %d of %s cannot be mapped".formatted(index, device.function.address));
        }
        return power.bar(index).segment();
    }

    @Override
    public boolean dmaRead(long iova, MemorySegment target) {
        return access(false, iova, target);
    }

    @Override
    public boolean dmaWrite(long iova, MemorySegment source) {
        return access(true, iova, source);
    }

    @Override
    public void raise(int vector) {
        if (!off && power.config.busMaster()) { // a message interrupt is a write to memory
            device.interrupts.raise(vector);
        }
    }

    @Override
    public void setLine(boolean asserted) {
        if (device.function.model.interruptPin() == 0) {
            throw new IllegalStateException(device.function.address + " has no interrupt pin");
        }
        if (!off) {
            device.interrupts.assertLine(asserted);
        }
    }

    private boolean access(boolean write, long iova, MemorySegment buffer) {
        Translation.Stop stop = stop(write, iova, buffer);
        if (stop == null) {
            return true;
        }
        device.machine().fault(new DmaFault(
                device.function.address, write, iova, buffer.byteSize(), stop.at(), stop.reason()));
        return false;
    }

    private Translation.Stop stop(boolean write, long iova, MemorySegment buffer) {
        if (off) {
            return new Translation.Stop(iova, Reason.POWERED_OFF);
        }
        if (!power.config.busMaster()) {
            return new Translation.Stop(iova, Reason.BUS_MASTER_OFF);
        }
        IommuGroup group = device.function.group;
        if (group.type == GroupType.NO_IOMMU) {
            return new Translation.Stop(iova, Reason.NOT_TRANSLATED);
        }
        Translation translation;
        Translation.Stop stop = null;
        do { // once more if the translation changed meanwhile
            translation = group.translation;
            stop = translation == null
                    ? new Translation.Stop(iova, Reason.NO_IOMMU)
                    : translation.access(group, write, iova, buffer);
        } while (stop != null && stop.reason() == Reason.NO_IOMMU && group.translation != translation);
        return stop;
    }
}
