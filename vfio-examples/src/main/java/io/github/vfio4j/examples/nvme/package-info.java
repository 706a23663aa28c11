/**
 * A small NVMe driver in user space, written for reading. Start with {@link io.github.vfio4j.examples.nvme.NvmeController};
 * section numbers are those of the NVM Express Base Specification 1.4.
 */
package io.github.vfio4j.examples.nvme;
