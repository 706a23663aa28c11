package io.github.vfio4j;

/**
 * The kernel enabled no interrupt because the machine has fewer vectors free than were asked for: a positive answer of
 * {@code VFIO_DEVICE_SET_IRQS}. The kernel gives no errno then; {@code ENOSPC} stands for it.
 */
public final class TooFewVectors extends VfioException {
    private static final long serialVersionUID = 1;

    private final int available;

    TooFewVectors(String irq, int wanted, int available) {
        super(Operation.DEVICE_SET_IRQS, Errno.ENOSPC, irq, message(irq, wanted, available));
        this.available = available;
    }

    /**
     * Returns how many vectors the machine would give. They count from vector 0: the last vector that is enabled must be
     * below this number.
     *
     * @return the number, at least 1
     */
    public int available() {
        return available;
    }

    private static String message(String irq, int wanted, int available) {
        return """
                %s enabled nothing: %s has %d of the %d vectors that were asked for
                  means    %s
                  next     %s"""
                .formatted(
                        Operation.DEVICE_SET_IRQS.kernelName(),
                        irq,
                        available,
                        wanted,
                        Rule.SET_IRQS_VECTORS.broken(),
                        Rule.SET_IRQS_VECTORS.instead());
    }
}
