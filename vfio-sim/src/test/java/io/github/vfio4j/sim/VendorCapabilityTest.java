package io.github.vfio4j.sim;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.vfio4j.Device;
import io.github.vfio4j.PciAddress;
import io.github.vfio4j.PciConfig;
import io.github.vfio4j.Vfio;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

/** Capabilities that a model says its function has. */
class VendorCapabilityTest {
    private static final PciAddress ADDRESS = PciAddress.parse("00:03.0");
    private static final int STATUS = 0x06;
    private static final int CAPABILITY_LIST = 0x34;

    @Test
    void theyFollowTheMessageInterruptsInTheirOrder() {
        PciModel model = new Capable(List.of(new byte[] {5, 1, 2}, new byte[] {16, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0, 1, 2, 3}));
        try (Vfio vfio = SimMachine.builder().device(ADDRESS, model).build().open();
                Device device = vfio.openDevice(ADDRESS)) {
            PciConfig config = device.config();
            assertThat(config.read16(STATUS) & 0x10).isNotZero();
            List<String> found = new ArrayList<>();
            for (int at = config.read8(CAPABILITY_LIST); at != 0; at = config.read8(at + 1)) {
                found.add("%02x %d %d".formatted(config.read8(at), config.read8(at + 2), config.read8(at + 3)));
            }
            assertThat(found.subList(found.size() - 2, found.size())).containsExactly("09 5 1", "09 16 9");
            assertThat(found).hasSize(4).anyMatch(line -> line.startsWith("11 ")).anyMatch(line -> line.startsWith("05 "));
        }
    }

    private record Capable(List<byte[]> vendorCapabilities) implements PciModel {
        @Override
        public PciIdentity identity() {
            return new PciIdentity(0x1af4, 0x1041, 0x020000);
        }

        @Override
        public List<PciBar> bars() {
            return List.of();
        }

        @Override
        public int vectors() {
            return 2;
        }

        @Override
        public int msiVectors() {
            return 1;
        }
    }
}
