package io.github.vfio4j;

/**
 * One interrupt index of a device: a kind of interrupt, such as MSI-X, with one or more interrupts. Nothing fires before
 * it is enabled. Safe from any thread.
 */
public final class Irq {
    private final Device device;
    private final IrqInfo info;
    private final String name;
    private Interrupts current; // guarded by the device's lock; null while disabled

    Irq(Device device, IrqInfo info) {
        this.device = device;
        this.info = info;
        Object[] known = switch (device.info().bus()) {
            case PCI -> PciIrq.values();
            case CCW -> CcwIrq.values();
            case AP -> ApIrq.values();
            case PLATFORM, AMBA, FSL_MC, CDX, OTHER -> new Object[0];
        };
        this.name = device.name() + " "
                + (info.index() < known.length ? known[info.index()] : "interrupt index " + info.index());
    }

    /**
     * Returns what the kernel says of the index.
     *
     * @return the info
     */
    public IrqInfo info() {
        return info;
    }

    /**
     * Enables all interrupts of the index; as {@link #enable(int, int)}.
     *
     * @return the interrupts
     */
    public Interrupts enable() {
        return enable(0, Math.max(info.count(), 1)); // an index without interrupts is refused by its rule
    }

    /**
     * Enables interrupts ({@code VFIO_DEVICE_SET_IRQS} with an eventfd for each). On PCI one of INTx, MSI and MSI-X can
     * be enabled at a time. For MSI and MSI-X the kernel allocates the vectors from 0 up to the last one given.
     *
     * @param start the first interrupt, counted from 0
     * @param count how many, at least 1
     * @return the interrupts; closing them, or the device, disables them
     * @throws RuleViolation if the index has no such interrupts, another of INTx, MSI and MSI-X is enabled, or the
     *     device is closed
     * @throws IllegalStateException if the index is enabled; {@link Interrupts#add} adds to it
     * @throws TooFewVectors if the machine has fewer vectors free; nothing is enabled
     * @throws VfioException {@code EMFILE} if the process has too many files open, or what the kernel refuses with
     */
    public Interrupts enable(int start, int count) {
        device.lock().lock();
        try {
            new Interrupts(device, this).checkAsked(start, count, false); // before the library gives up its own
            DeviceWatch watch = device.watch();
            if (watch != null) {
                watch.giveUp(this);
            }
            Interrupts interrupts;
            try {
                interrupts = arm(start, count);
            } catch (RuntimeException e) {
                if (watch != null) {
                    Teardown.after(e, () -> watch.takeBack(this));
                }
                throw e;
            }
            device.vfio().opened(interrupts);
            return interrupts;
        } finally {
            device.lock().unlock();
        }
    }

    /** Enables interrupts that no program has a handle of, or none yet. */
    Interrupts arm(int start, int count) {
        device.lock().lock();
        try {
            Interrupts interrupts = new Interrupts(device, this);
            interrupts.enable(start, count);
            current = interrupts;
            return interrupts;
        } finally {
            device.lock().unlock();
        }
    }

    /** Disables the index as part of the device's close. The device's lock is held. */
    void disable() {
        if (current != null) {
            current.disable();
        }
    }

    /** The device's lock is held. */
    void disabled() {
        current = null;
    }

    /** The device's lock is held. */
    boolean enabled() {
        return current != null;
    }

    /** Is this one of the indexes of which a device raises one at a time? */
    boolean exclusive() {
        return device.info().pci() && info.index() <= PciIrq.MSIX.index();
    }

    /**
     * Is the index disabled by a -1 in the place of its eventfd alone? Those of s390's mediated devices are: at a count of
     * 0, vfio_ccw raises the interrupt and vfio_ap answers {@code EINVAL} (their functions {@code ..._set_irqs}).
     */
    boolean disabledByEvent() {
        return device.info().bus() == DeviceInfo.Bus.CCW || device.info().bus() == DeviceInfo.Bus.AP;
    }

    /** Returns the device's and the index's name, such as {@code 0000:06:0d.0 MSI-X}. */
    @Override
    public String toString() {
        return name;
    }
}
