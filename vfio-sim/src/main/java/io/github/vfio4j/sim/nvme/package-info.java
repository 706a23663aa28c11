/** A simulated NVMe 1.4 controller: {@link io.github.vfio4j.sim.nvme.NvmeModel}. */
package io.github.vfio4j.sim.nvme;
