package io.github.vfio4j.sim;

/** A function that is bound to vfio-pci (Linux: struct vfio_pci_core_device). */
final class VfioDevice extends GroupDevice {
    final PciFunction function;

    /** Interrupts that ask or tell the user something; they outlive a power cycle of the model, not the last close. */
    final Interrupts interrupts;

    private volatile Power power; // while open

    VfioDevice(SimMachine machine, PciFunction function, VfioGroup group) {
        super(machine, group);
        this.function = function;
        this.interrupts = new Interrupts(machine, function);
    }

    @Override
    boolean isNamed(DeviceName name) {
        return name.names(function.address);
    }

    @Override
    boolean takes(DeviceName name) {
        return name.withoutOptions();
    }

    /** The state of the powered device; a caller has the device open. */
    Power power() {
        return power;
    }

    @Override
    void powerOn() {
        power = Power.on(this);
    }

    @Override
    void powerOff() {
        power.off();
        power = null;
    }

    @Override
    boolean isEmulated() {
        return false;
    }

    @Override
    BoundDevice bindTo(Iommufd iommufd) {
        return new BoundPciDevice(iommufd, this);
    }

    @Override
    SimFile newFile() {
        return new DeviceFile(this);
    }
}
