package io.github.vfio4j;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Configuration space, made byte by byte. */
@Timeout(30)
class PciConfigTest {
    private static final int STATUS = 6;
    private static final int FIRST = 0x34;

    private final ByteBuffer bytes = ByteBuffer.allocate(4096).order(ByteOrder.LITTLE_ENDIAN);
    private final FakeKernel kernel = new FakeKernel();
    private final Vfio vfio = Vfio.on(kernel, Contract.STRICT);
    private final Device device;
    private final PciConfig config;

    PciConfigTest() {
        kernel.deviceInfo = new DeviceInfo(DeviceInfo.Bus.PCI, true, 9, 5, List.of());
        kernel.config = bytes;
        bytes.putShort(4, (short) 2); // memory decode is on
        device = vfio.openDevice(FakeKernel.ADDRESS);
        config = device.config();
    }

    @AfterEach
    void close() {
        vfio.close();
    }

    private void capability(int at, int id, int next) {
        bytes.putShort(STATUS, (short) 0x10);
        bytes.put(at, (byte) id);
        bytes.put(at + 1, (byte) next);
    }

    private void extended(int at, int id, int version, int next) {
        bytes.putInt(at, next << 20 | version << 16 | id);
    }

    private void broken(Runnable walk) {
        VfioException e = catchThrowableOfType(VfioException.class, walk::run);
        assertThat(e.errno()).isEqualTo(Errno.EPROTO);
        assertThat(e).hasMessageContaining("chain of capabilities").hasMessageContaining("0000:00:04.0");
    }

    @Test
    void aDeviceWithoutTheStatusBitHasNoCapabilities() {
        bytes.put(FIRST, (byte) 0x40);
        assertThat(config.capabilities()).isEmpty();
    }

    @Test
    void theChainIsWalkedInItsOrder() {
        bytes.put(FIRST, (byte) 0x83); // the two lowest bits mean nothing
        capability(0x80, PciConfig.Capability.MSI, 0x41);
        capability(0x40, PciConfig.Capability.MSIX, 0);
        assertThat(config.capabilities())
                .containsExactly(
                        new PciConfig.Capability(PciConfig.Capability.MSI, 0x80),
                        new PciConfig.Capability(PciConfig.Capability.MSIX, 0x40));
        assertThat(config.capability(PciConfig.Capability.EXPRESS)).isEmpty();
    }

    @Test
    void theMsixTableIsWhereTheCapabilitySays() {
        assertThat(config.msixTable()).isEmpty();
        bytes.put(FIRST, (byte) 0x40);
        capability(0x40, PciConfig.Capability.MSIX, 0);
        bytes.putShort(0x42, (short) (0x8000 | 63));
        bytes.putInt(0x44, 0x2000 | 4);
        assertThat(config.msixTable()).contains(new PciConfig.MsixTable(64, 4, 0x2000));
        assertThat(config.msixTable().orElseThrow().size()).isEqualTo(1024);
    }

    @Test
    void aChainThatRunsInACircleIsAnErrorAndNoLoop() {
        bytes.put(FIRST, (byte) 0x40);
        capability(0x40, 1, 0x50);
        capability(0x50, 5, 0x40);
        broken(config::capabilities);
        extended(0x100, 1, 1, 0x100);
        broken(config::extendedCapabilities);
    }

    @Test
    void aChainThatPointsIntoTheHeaderIsAnError() {
        bytes.put(FIRST, (byte) 0x40);
        capability(0x40, 1, 0x10);
        broken(config::capabilities);
        extended(0x100, 1, 1, 0x40);
        broken(config::extendedCapabilities);
    }

    @Test
    void extendedCapabilitiesThatTheKernelHidesAreLeftOut() {
        assertThat(config.extendedCapabilities()).isEmpty();
        extended(0x100, 0, 0, 0x148); // hidden, and the first
        extended(0x148, 3, 1, 0xffc);
        extended(0xffc, 0xb, 2, 0);
        assertThat(config.extendedCapabilities())
                .containsExactly(
                        new PciConfig.ExtendedCapability(3, 1, 0x148), new PciConfig.ExtendedCapability(0xb, 2, 0xffc));
    }

    @Test
    void aDeviceThatIsGoneHasNoExtendedCapabilities() {
        bytes.putInt(0x100, -1);
        assertThat(config.extendedCapabilities()).isEmpty();
    }

    @Test
    void randomConfigurationSpacesGiveCapabilitiesOrAnErrorAndNothingElse() {
        long seed = System.nanoTime();
        System.out.println("random configuration spaces, seed " + seed);
        Random random = new Random(seed);
        int whole = 0;
        for (int round = 0; round < 200; round++) {
            random.nextBytes(bytes.array());
            capability(bytes.get(FIRST) & 0xfc, 1, random.nextInt(256));
            if (round % 2 == 0) {
                extended(0x100, 1, 1, 4 * random.nextInt(1024));
            }
            whole += walks(() -> config.capabilities()) + walks(() -> config.extendedCapabilities());
        }
        assertThat(whole).as("chains that were whole").isPositive();
    }

    private static int walks(Runnable walk) {
        try {
            walk.run();
            return 1;
        } catch (VfioException e) {
            assertThat(e.errno()).isEqualTo(Errno.EPROTO);
            return 0;
        }
    }

    @Test
    void aWriteThatTurnsMemoryOffIsRefusedWhileARegionIsMapped() {
        config.disableMemory();
        assertThat(config.memoryEnabled()).isFalse();
        config.enableMemory();
        device.region(0).map();
        kernel.newCalls();
        assertHazard(() -> config.disableMemory());
        assertHazard(() -> config.write8(4, 0));
        assertHazard(() -> config.write32(4, 0));
        assertHazard(() -> config.write16(3, 0));
        assertThat(kernel.newCalls()).doesNotContain("write");
        config.write8(5, 4);
        assertThat(config.intxEnabled()).isFalse();
        config.write16(4, 2);
        assertThat(config.intxEnabled()).isTrue();
        device.unmapRegions();
        config.disableMemory();
        assertThat(config.memoryEnabled()).isFalse();
    }

    private static void assertHazard(Runnable write) {
        assertThatExceptionOfType(RuleViolation.class)
                .isThrownBy(write::run)
                .satisfies(e -> assertThat(e.rule()).contains(Rule.REGION_WRITE_MAPPED));
    }

    @Test
    void aDeviceWithoutPowerIsNeitherMappedNorMadeWhileMapped() {
        bytes.put(FIRST, (byte) 0x40);
        capability(0x40, PciConfig.Capability.POWER_MANAGEMENT, 0);
        config.write16(0x44, 3); // D3hot
        RuleViolation e = catchThrowableOfType(
                RuleViolation.class, () -> device.region(0).map());
        assertThat(e.rule()).contains(Rule.REGION_POWERED);
        config.write16(0x44, 0);
        device.region(0).map();
        assertHazard(() -> config.write16(0x44, 3));
        config.write16(0x44, 1);
    }

    @Test
    void afterUnmappingMappedRegistersThrowAndCanBeMappedAnew() {
        Mmio before = device.region(0).map();
        device.unmapRegions();
        assertThatExceptionOfType(IllegalStateException.class).isThrownBy(() -> before.read32Opaque(0));
        assertThat(device.region(0).map()).isNotSameAs(before);
        assertThat(kernel.newCalls()).containsSubsequence("map bar", "unmap bar", "map bar");
        device.unmapRegions();
        device.unmapRegions(); // nothing is left: nothing happens
    }
}
