package io.github.vfio4j;

/**
 * What {@code VFIO_DEVICE_GET_IRQ_INFO} says of an interrupt index ({@code struct vfio_irq_info}).
 *
 * @param index the interrupt index
 * @param count how many interrupts it has
 * @param eventfd it can be signalled through an eventfd
 * @param maskable it can be masked and unmasked
 * @param automasked it is masked when it fires
 * @param noResize vectors cannot be added while it is enabled
 */
public record IrqInfo(
        int index, int count, boolean eventfd, boolean maskable, boolean automasked, boolean noResize) {}
