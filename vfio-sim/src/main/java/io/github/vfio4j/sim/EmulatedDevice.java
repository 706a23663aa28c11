package io.github.vfio4j.sim;

import java.util.Optional;
import java.util.UUID;

/** A mediated device: its driver registers it with an emulated IOMMU (Linux: vfio_register_emulated_iommu_dev). */
final class EmulatedDevice extends GroupDevice {
    final String name;
    final MediatedModel model;
    final EmulatedInterrupts interrupts;
    private Migration migration; // while open; guarded by the device's lock

    EmulatedDevice(SimMachine machine, String name, MediatedModel model, VfioGroup group) {
        super(machine, group);
        this.name = name;
        this.model = model;
        this.interrupts = new EmulatedInterrupts(machine);
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
        model.powerOn(interrupts::raise);
        migration = new Migration(this);
    }

    @Override
    void powerOff() {
        interrupts.disable();
        migration.end();
        migration = null;
        model.powerOff();
    }

    /** The device's lock is held, and it is open. */
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
