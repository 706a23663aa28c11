package io.github.vfio4j.sim;

import java.util.List;

/**
 * A queue of a guest's commands that the hardware takes them from (Linux: struct iommufd_hw_queue); no hardware here takes
 * any. Its memory stays mapped. Guarded by the kernel's lock.
 */
final class HardwareQueue extends IommuObject {
    private final Viommu viommu;
    private final int index;
    private final List<Area> memory;

    HardwareQueue(Viommu viommu, int index, List<Area> memory) {
        super(viommu.iommufd);
        this.viommu = viommu;
        this.index = index;
        this.memory = memory;
        viommu.users++;
        viommu.hardwareQueues[index] = this;
        if (index > 0) {
            viommu.hardwareQueues[index - 1].users++;
        }
        memory.forEach(area -> area.queues++);
    }

    @Override
    void destroyed() {
        memory.forEach(area -> area.queues--);
        viommu.users--;
        viommu.hardwareQueues[index] = null;
        if (index > 0) {
            viommu.hardwareQueues[index - 1].users--;
        }
    }

    @Override
    public String toString() {
        return "hardware queue " + index + " of " + viommu;
    }
}
