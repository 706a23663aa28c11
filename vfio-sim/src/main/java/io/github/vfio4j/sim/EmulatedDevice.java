package io.github.vfio4j.sim;

import java.lang.foreign.MemorySegment;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import java.util.UUID;

/** A mediated device: its driver registers it with an emulated IOMMU (Linux: vfio_register_emulated_iommu_dev). */
final class EmulatedDevice extends GroupDevice {
    final String name;
    final Optional<Mediator.Kind> kind;
    final MediatedModel model;
    final EmulatedInterrupts interrupts;
    private final Map<Long, Memory> memories = new HashMap<>(); // while open, by place in the file; guarded by itself
    private final Migration migration = new Migration(this); // guarded by the device's lock

    /**
     * Makes a device.
     *
     * @param kind what it was made of; empty if it is there from the beginning
     */
    EmulatedDevice(
            SimMachine machine, String name, Optional<Mediator.Kind> kind, MediatedModel model, VfioGroup group) {
        super(machine, group);
        this.name = name;
        this.kind = kind;
        this.model = model;
        this.interrupts = new EmulatedInterrupts(machine, model.interrupts());
    }

    @Override
    boolean isNamed(DeviceName asked) {
        return asked.text().equals(name);
    }

    @Override
    boolean takes(Optional<UUID> shown) {
        return shown.isEmpty();
    }

    @Override
    boolean match(Optional<UUID> shown) {
        return true;
    }

    @Override
    void powerOn() {
        model.powerOn(new MediatedBus() {
            @Override
            public void raise() {
                interrupts.raise();
            }

            @Override
            public MemorySegment memory(int index) {
                return EmulatedDevice.this.memory(index).segment();
            }
        });
        migration.reset();
    }

    @Override
    void powerOff() {
        interrupts.disable();
        migration.end();
        try {
            model.powerOff();
        } finally {
            synchronized (memories) {
                memories.values().forEach(Memory::giveBackAll);
                memories.clear();
            }
        }
    }

    /** The memory of a region that can be mapped; the device is open. */
    Memory memory(int index) {
        synchronized (memories) {
            return memories.computeIfAbsent(model.offset(index), _ -> Memory.ofBar(model.size(index)));
        }
    }

    /** VFIO_DEVICE_RESET; the device's lock is held. */
    void reset() {
        migration.reset();
        model.reset();
    }

    Screen screen() {
        return new Screen(machine(), model.screen());
    }

    /** The device's lock is held. */
    Migration migration() {
        return migration;
    }

    @Override
    boolean isEmulated() {
        return true;
    }

    @Override
    BoundDevice bindTo(Iommufd iommufd) {
        return new BoundEmulatedDevice(iommufd, this);
    }

    @Override
    SimFile newFile() {
        return new EmulatedDeviceFile(this);
    }
}
