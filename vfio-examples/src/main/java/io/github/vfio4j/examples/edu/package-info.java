/**
 * A driver for QEMU's edu device, which exists to learn on: registers, an interrupt, and DMA with addresses of 28 bits.
 * What the device does is described in QEMU's docs/specs/edu.
 */
package io.github.vfio4j.examples.edu;
