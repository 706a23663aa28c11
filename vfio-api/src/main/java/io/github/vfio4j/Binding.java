package io.github.vfio4j;

import io.github.vfio4j.spi.BindingNote;
import io.github.vfio4j.spi.BindingPort;
import io.github.vfio4j.spi.Kernel;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * Functions that {@link Binder#bind} bound to vfio-pci, and how they were before. Closing it restores that.
 * {@link Vfio#close} does not: without a close here the functions stay with vfio-pci, also after the program, until
 * {@link Binder#abandoned} or {@link Binder#giveBack} of another one. All methods are safe from any thread.
 */
public final class Binding implements AutoCloseable {
    /**
     * How a function was.
     *
     * @param noted did this program note it for others? It did not if a program that still runs has bound it before
     */
    private record Before(PciAddress address, Optional<String> driver, Optional<String> override, boolean noted) {}

    private static final Optional<String> VFIO_PCI = Optional.of(Binder.VFIO_PCI);

    private final Vfio vfio;
    private final Kernel kernel;
    private final List<Before> journal = new ArrayList<>(); // oldest first; guarded by this
    private boolean restored; // guarded by this

    Binding(Vfio vfio, Kernel kernel) {
        this.vfio = vfio;
        this.kernel = kernel;
    }

    /** Remembers how a function is, and tells nobody. */
    synchronized void remember(PciDevice device) {
        Optional<String> override = kernel.binding().driverOverride(device.address());
        journal.add(new Before(device.address(), device.driver(), override, false));
    }

    /** Notes how a function is; or how it was before a program changed that and ended. */
    synchronized void note(PciDevice device) {
        Optional<BindingNote> earlier = noteOf(device);
        if (earlier.isEmpty()) {
            Optional<String> override = kernel.binding().driverOverride(device.address());
            note(new BindingNote(device.address(), device.driver(), override, false));
        } else if (earlier.get().abandoned()) {
            note(earlier.get());
        } else {
            remember(device); // the other program restores
        }
    }

    /**
     * Takes over what a program noted that ended.
     *
     * @return false if there is no such note
     */
    synchronized boolean takeOver(PciDevice device) {
        Optional<BindingNote> abandoned = noteOf(device).filter(BindingNote::abandoned);
        abandoned.ifPresent(this::note);
        return abandoned.isPresent();
    }

    private void note(BindingNote before) {
        kernel.binding().note(before.device(), before.driver(), before.override());
        journal.add(new Before(before.device(), before.driver(), before.override(), true));
    }

    /** The note of a function. One that somebody gave back by hand since then has none: it is out of date. */
    private Optional<BindingNote> noteOf(PciDevice device) {
        BindingPort port = kernel.binding();
        boolean changed = device.driver().equals(VFIO_PCI)
                || port.driverOverride(device.address()).equals(VFIO_PCI);
        return port.notes().stream()
                .filter(note -> note.device().equals(device.address()) && changed)
                .findFirst();
    }

    /** Notes how a function is, then keeps every other driver away from it. */
    synchronized void protect(PciDevice device) {
        note(device);
        kernel.binding().setDriverOverride(device.address(), VFIO_PCI);
    }

    /** Binds a protected function. If it has another driver by now than it had, the kernel refuses. */
    synchronized void take(PciDevice device) {
        PciAddress address = device.address();
        if (device.driver().equals(VFIO_PCI)) {
            return;
        }
        device.driver().ifPresent(host -> kernel.binding().unbind(address, host));
        bind(address, Binder.VFIO_PCI);
    }

    /** Binds, and looks whether the driver has it: a write that succeeded says little. */
    private void bind(PciAddress address, String driver) {
        kernel.binding().bind(address, driver);
        Optional<String> now = kernel.pciDevice(address).driver();
        if (!now.equals(Optional.of(driver))) {
            throw new VfioException(
                    Operation.DRIVER_BIND,
                    Errno.ENODEV,
                    "%s is bound to %s after the kernel bound it to %s"
                            .formatted(address, now.orElse("no driver"), driver));
        }
    }

    /**
     * Lists the functions that were bound or protected.
     *
     * @return their addresses, in the order in which they were protected
     */
    public synchronized List<PciAddress> devices() {
        return journal.stream().map(Before::address).toList();
    }

    /**
     * Restores drivers and {@code driver_override}: first every function leaves vfio-pci, the last one first, then each gets
     * its driver back, and then its override, which may name another driver than that. Idempotent; after a failure it can be
     * called again and does what is left.
     *
     * <p>While another program has a device open, the kernel makes this call wait, without a limit, and asks that program
     * for the device (its request interrupt) again and again. To not wait, see to it that nobody uses the group first.
     *
     * @throws RuleViolation if this program has one of the devices open; nothing was changed
     * @throws VfioException if the kernel refuses a step; the other steps are taken all the same
     */
    @Override
    public synchronized void close() {
        if (restored) {
            return;
        }
        for (Before before : journal) {
            if (!isAsBefore(before)) {
                vfio.checkNotOpen(Operation.DRIVER_UNBIND, before.address().toString());
            }
        }
        Teardown teardown = new Teardown();
        for (Before before : journal.reversed()) {
            teardown.step(() -> leave(before));
        }
        for (Before before : journal.reversed()) {
            teardown.step(() -> restore(before));
        }
        teardown.finish();
        restored = true;
        forget();
    }

    /** Throws the notes away that this program made for others. */
    synchronized void forget() {
        journal.stream().filter(Before::noted).forEach(before -> kernel.binding().forget(before.address()));
    }

    /** Is there a driver to give a function back to? */
    synchronized boolean hadAnotherDriver() {
        return journal.stream()
                .anyMatch(before -> before.driver().isPresent() && !before.driver().equals(VFIO_PCI));
    }

    private void leave(Before before) {
        if (driver(before).equals(VFIO_PCI) && !isAsBefore(before)) {
            kernel.binding().unbind(before.address(), Binder.VFIO_PCI);
        }
    }

    /** Gives a function its driver back if it has none, whatever its override is, and its override. */
    private void restore(Before before) {
        if (!isThere(before)) {
            return;
        }
        Teardown steps = new Teardown();
        if (before.driver().isPresent() && driver(before).isEmpty()) {
            steps.step(() -> {
                setOverride(before.address(), before.driver());
                bind(before.address(), before.driver().get());
            });
        }
        steps.step(() -> setOverride(before.address(), before.override()));
        steps.finish();
    }

    /** Writes the override unless it is so: after a failure there may be nothing to undo. */
    private void setOverride(PciAddress address, Optional<String> driver) {
        if (!kernel.binding().driverOverride(address).equals(driver)) {
            kernel.binding().setDriverOverride(address, driver);
        }
    }

    private boolean isAsBefore(Before before) {
        return driver(before).equals(before.driver());
    }

    private Optional<String> driver(Before before) {
        return isThere(before) ? kernel.pciDevice(before.address()).driver() : Optional.empty();
    }

    /** A function that was unplugged has nothing to restore. */
    private boolean isThere(Before before) {
        return kernel.pciDevices().stream().anyMatch(device -> device.address().equals(before.address()));
    }

    /** Names the functions. */
    @Override
    public String toString() {
        return "binding of " + devices() + " to " + Binder.VFIO_PCI;
    }
}
