package io.github.vfio4j.sim;

import java.util.Optional;
import java.util.UUID;

/** A function that is bound to vfio-pci (Linux: struct vfio_pci_core_device). */
final class VfioDevice extends GroupDevice {
    final PciFunction function;

    /** Interrupts that ask or tell the user something; they outlive a power cycle of the model, not the last close. */
    final Interrupts interrupts;

    private final VfToken token; // of a function that can have virtual ones, else null
    private VfToken used; // of the physical function, while a virtual one is open
    private volatile Power power; // while open

    VfioDevice(SimMachine machine, PciFunction function, VfioGroup group) {
        super(machine, group);
        this.function = function;
        this.interrupts = new Interrupts(machine, function);
        this.token = function.virtual.isEmpty() ? null : new VfToken();
    }

    @Override
    boolean isNamed(DeviceName name) {
        return name.names(function.address);
    }

    @Override
    boolean takes(Optional<UUID> shown) {
        return shown.isEmpty() || asked() != null;
    }

    @Override
    boolean match(Optional<UUID> shown) {
        VfToken asked = asked();
        if (asked == null) {
            return true;
        } else if (asked == token && token.users == 0) {
            token.value = shown.orElse(token.value);
            return true;
        }
        return shown.equals(Optional.of(asked.value));
    }

    /** The token that it is opened with; null for none. */
    private VfToken asked() {
        return function.physical == null ? token : function.physical.vfio().map(physical -> physical.token).orElse(null);
    }

    /** The token of the virtual functions, if this is a physical one. */
    Optional<VfToken> token() {
        return Optional.ofNullable(token);
    }

    /** The state of the powered device; a caller has the device open. */
    Power power() {
        return power;
    }

    @Override
    void powerOn() {
        power = Power.on(this);
        if (function.physical != null) {
            machine().kernel().lock();
            used = asked();
            if (used != null) {
                used.users++;
            }
            machine().kernel().unlock();
        }
    }

    @Override
    void powerOff() {
        power.off();
        power = null;
        if (used != null) {
            machine().kernel().lock();
            used.users--;
            used = null;
            machine().kernel().unlock();
        }
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
