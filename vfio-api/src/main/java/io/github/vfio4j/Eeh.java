package io.github.vfio4j;

import io.github.vfio4j.spi.EehStep;
import java.util.Objects;

/**
 * PowerPC's handling of PCI errors (EEH, enhanced error handling); from {@link SpaprTce#eeh}. At an error the platform
 * freezes the partitionable endpoint (PE) of the device: its reads give all ones, and its DMA is stopped. A program that
 * reads all ones asks for the {@link #state}, and brings the PE back: lets I/O through to look around, or resets it,
 * {@linkplain #configure configures} it, and starts the device anew.
 *
 * <p>Each method is one {@code VFIO_EEH_PE_OP}, which the kernel does for the PE of each group of the container in turn, up
 * to the first that fails. It answers {@code ENODEV} if a group has no PE, and {@code ENOENT} if the platform cannot do it.
 *
 * <p>All methods are safe from any thread.
 *
 * <p>Source: linux/vfio.h, {@code vfio_spapr_ioctl_eeh_pe_op} and {@code arch/powerpc/kernel/eeh.c} of Linux 6.12. Tested
 * on made bytes alone: no such machine was at hand.
 */
public final class Eeh {
    private final SpaprTce iommu;

    Eeh(SpaprTce iommu) {
        this.iommu = iommu;
    }

    /** How {@link #assertReset} resets. */
    public enum Reset {
        /** A hot reset ({@code VFIO_EEH_PE_RESET_HOT}). */
        HOT(EehStep.RESET_HOT),
        /** A fundamental reset, which some devices need ({@code VFIO_EEH_PE_RESET_FUNDAMENTAL}). */
        FUNDAMENTAL(EehStep.RESET_FUNDAMENTAL);

        private final EehStep step;

        Reset(EehStep step) {
            this.step = step;
        }
    }

    /**
     * Turns error handling by the program on ({@code VFIO_EEH_PE_ENABLE}).
     *
     * @throws RuleViolation if the IOMMU has ended
     * @throws VfioException {@code EIO} if the machine has it off
     */
    public void enable() {
        step(EehStep.ENABLE);
    }

    /**
     * Says that the program does without ({@code VFIO_EEH_PE_DISABLE}); Linux changes nothing then.
     *
     * @throws RuleViolation if the IOMMU has ended
     */
    public void disable() {
        step(EehStep.DISABLE);
    }

    /**
     * Lets accesses to the registers of a frozen PE through ({@code VFIO_EEH_PE_UNFREEZE_IO}).
     *
     * @throws RuleViolation if the IOMMU has ended
     * @throws VfioException if the platform does not
     */
    public void unfreezeIo() {
        step(EehStep.UNFREEZE_IO);
    }

    /**
     * Lets DMA of a frozen PE through ({@code VFIO_EEH_PE_UNFREEZE_DMA}).
     *
     * @throws RuleViolation if the IOMMU has ended
     * @throws VfioException if the platform does not
     */
    public void unfreezeDma() {
        step(EehStep.UNFREEZE_DMA);
    }

    /**
     * Asks for the state ({@code VFIO_EEH_PE_GET_STATE}).
     *
     * @return that of the first PE which is not {@link PeState#NORMAL}, if the container has several groups
     * @throws RuleViolation if the IOMMU has ended
     * @throws VfioException {@code EPROTO} for a state that linux/vfio.h does not have
     */
    public PeState state() {
        iommu.lock.lock();
        try {
            iommu.checkAlive(Operation.EEH_PE_OP);
            return iommu.port().peState();
        } finally {
            iommu.lock.unlock();
        }
    }

    /**
     * Begins a reset of the PE, which lasts until {@link #deassertReset}.
     *
     * @param reset which
     * @throws RuleViolation if the IOMMU has ended
     * @throws VfioException if the platform does not
     */
    public void assertReset(Reset reset) {
        step(Objects.requireNonNull(reset, "reset").step);
    }

    /**
     * Ends a reset of the PE ({@code VFIO_EEH_PE_RESET_DEACTIVATE}).
     *
     * @throws RuleViolation if the IOMMU has ended
     * @throws VfioException if the platform does not
     */
    public void deassertReset() {
        step(EehStep.RESET_DEACTIVATE);
    }

    /**
     * Configures the bridges of the PE after a reset ({@code VFIO_EEH_PE_CONFIGURE}).
     *
     * @throws RuleViolation if the IOMMU has ended
     * @throws VfioException if the platform does not
     */
    public void configure() {
        step(EehStep.CONFIGURE);
    }

    /**
     * Injects an error, to see what the program makes of it ({@code VFIO_EEH_PE_INJECT_ERR}).
     *
     * @param error the error
     * @throws RuleViolation if the IOMMU has ended
     * @throws VfioException {@code ENOENT} if the platform cannot, {@code EINVAL} for an error that it does not know
     */
    public void inject(EehError error) {
        Objects.requireNonNull(error, "error");
        iommu.lock.lock();
        try {
            iommu.checkAlive(Operation.EEH_PE_OP);
            iommu.port().inject(error);
        } finally {
            iommu.lock.unlock();
        }
    }

    private void step(EehStep step) {
        iommu.lock.lock();
        try {
            iommu.checkAlive(Operation.EEH_PE_OP);
            iommu.port().eeh(step);
        } finally {
            iommu.lock.unlock();
        }
    }
}
