package io.github.vfio4j;

/** The interrupt indexes that every PCI device of VFIO has ({@code VFIO_PCI_..._IRQ_INDEX} of linux/vfio.h). */
public enum PciIrq {
    /** The interrupt line. Masked by the kernel when it fires; unmask it once the device is served. */
    INTX("INTx"),
    /** Message signalled interrupts. The device needs bus mastering to send them. */
    MSI("MSI"),
    /** Message signalled interrupts with a table of vectors. The device needs bus mastering to send them. */
    MSIX("MSI-X"),
    /** Fires when the device reports an uncorrectable error. PCI Express devices alone have it. */
    ERR("ERR"),
    /** Fires when the host asks for the device back, as unbinding its driver does. Close the device then. */
    REQ("REQ");

    private final String title;

    PciIrq(String title) {
        this.title = title;
    }

    /**
     * Returns the index.
     *
     * @return the number in linux/vfio.h
     */
    public int index() {
        return ordinal();
    }

    /** Returns the name for people, such as {@code MSI-X}. */
    @Override
    public String toString() {
        return title;
    }
}
