package io.github.vfio4j.spi;

import io.github.vfio4j.AffectedDevice;
import java.util.List;
import java.util.Optional;

/**
 * What a hot reset of a device resets ({@code struct vfio_pci_hot_reset_info}).
 *
 * @param devices all of them, the one that was asked among them
 * @param owned whether all are the program's, so that the kernel would let it ({@code VFIO_PCI_HOT_RESET_FLAG_DEV_ID_OWNED});
 *     empty if the device was opened through its group, where groups are shown for that
 */
public record HotResetInfo(List<AffectedDevice> devices, Optional<Boolean> owned) {
    /** Copies the list. */
    public HotResetInfo {
        devices = List.copyOf(devices);
    }
}
