package io.github.vfio4j.sim;

import java.lang.foreign.MemorySegment;

/** What a device has from its first open to its last close: configuration space, the memory of its BARs, its bus. */
final class Power {
    final ConfigSpace config;
    final IoEventFds ioEventFds;
    final Features features;
    private final VfioDevice device;
    private final Memory[] bars = new Memory[PciBars.COUNT]; // made when first used; guarded by itself
    private final DeviceBus bus;

    private Power(VfioDevice device) {
        this.device = device;
        this.config = new ConfigSpace(device.function, device.interrupts, this::reset);
        this.ioEventFds = new IoEventFds(device);
        this.features = new Features(device);
        this.bus = new DeviceBus(device, this);
    }

    /** The device's lock is held. */
    static Power on(VfioDevice device) {
        Power power = new Power(device);
        device.interrupts.powerOn();
        Undo.unless(() -> device.function.model.powerOn(power.bus), power::freeBars);
        return power;
    }

    /** Interrupts and bus mastering stop before the model does. The device's lock is held. */
    void off() {
        device.interrupts.disableAll();
        ioEventFds.clear();
        config.clearBusMaster();
        try {
            device.function.model.powerOff();
        } finally {
            bus.off();
            freeBars();
        }
    }

    /** VFIO_DEVICE_RESET: configuration space and interrupts are restored after it. The device's lock is held. */
    void reset() {
        device.interrupts.assertLine(false);
        device.function.model.reset();
    }

    /** The memory of a BAR that can be mapped. */
    Memory bar(int index) {
        synchronized (bars) {
            if (bars[index] == null) {
                bars[index] = Memory.ofBar(device.function.bars.size(index));
            }
            return bars[index];
        }
    }

    /** Reads a naturally aligned piece of a BAR. The device's lock is held. */
    long read(int bar, long offset, int width) {
        if (!device.function.bars.mappable(bar)) {
            return device.function.model.read(bar, offset, width);
        }
        MemorySegment memory = bar(bar).segment();
        return switch (width) {
            case 1 -> (byte) SharedAccess.BYTE.getAcquire(memory, offset);
            case 2 -> (short) SharedAccess.SHORT.getAcquire(memory, offset);
            case 4 -> (int) SharedAccess.INT.getAcquire(memory, offset);
            default -> (long) SharedAccess.LONG.getAcquire(memory, offset);
        };
    }

    /** Writes a piece of a BAR. The device's lock is held. */
    void write(int bar, long offset, int width, long value) {
        if (!device.function.bars.mappable(bar)) {
            device.function.model.write(bar, offset, width, value);
            return;
        }
        MemorySegment memory = bar(bar).segment();
        if (offset % width != 0) { // as a processor that splits it
            for (int i = 0; i < width; i++) {
                SharedAccess.BYTE.setRelease(memory, offset + i, (byte) (value >>> 8 * i));
            }
            return;
        }
        switch (width) {
            case 1 -> SharedAccess.BYTE.setRelease(memory, offset, (byte) value);
            case 2 -> SharedAccess.SHORT.setRelease(memory, offset, (short) value);
            case 4 -> SharedAccess.INT.setRelease(memory, offset, (int) value);
            default -> SharedAccess.LONG.setRelease(memory, offset, value);
        }
    }

    private void freeBars() {
        synchronized (bars) {
            for (Memory memory : bars) {
                if (memory != null) {
                    memory.giveBackAll();
                }
            }
        }
    }
}
