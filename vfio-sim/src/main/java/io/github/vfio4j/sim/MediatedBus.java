package io.github.vfio4j.sim;

/** What a simulated mediated device sees of the machine: its interrupt. */
public interface MediatedBus {
    /**
     * Raises the device's interrupt: INTx or MSI, whichever the program enabled. INTx masks itself then, and while it is
     * masked an interrupt is lost; so it is while none is enabled.
     */
    void raise();
}
