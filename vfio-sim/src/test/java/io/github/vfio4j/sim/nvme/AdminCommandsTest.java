package io.github.vfio4j.sim.nvme;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import io.github.vfio4j.sim.nvme.Rig.Ring;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class AdminCommandsTest {
    private final Rig rig = new Rig(List.of(new Namespace(1 << 20, 512), new Namespace(8 << 20, 4096))).enable();
    private final long page = rig.pages(1);

    @AfterEach
    void powerOff() {
        rig.close();
    }

    @Test
    void identifySaysWhatTheControllerIs() {
        rig.expectSuccess(Sqe.identify(1, 0, page));
        MemorySegment data = rig.bus.at(page);
        assertThat(data.get(JAVA_INT, 0)).as("VID and SSVID").isEqualTo(0x1b36_1b36);
        assertThat(text(data, 4, 20)).matches("SIM[0-9]{5} {12}");
        assertThat(text(data, 24, 40)).isEqualTo("vfio4j simulated NVMe controller        ");
        assertThat(text(data, 64, 8)).isEqualTo("1.0     ");
        assertThat(data.get(JAVA_BYTE, 77)).as("MDTS").isEqualTo((byte) 7);
        assertThat(data.get(JAVA_INT, 80)).as("VER").isEqualTo(0x10400);
        assertThat(data.get(JAVA_BYTE, 512)).as("SQES").isEqualTo((byte) 0x66);
        assertThat(data.get(JAVA_BYTE, 513)).as("CQES").isEqualTo((byte) 0x44);
        assertThat(data.get(JAVA_INT, 516)).as("NN").isEqualTo(2);
        assertThat(data.getString(768)).matches("nqn\\.2026-11\\.io\\.github\\.vfio4j:nvme-model:SIM[0-9]{5}");
    }

    @Test
    void aControllerHasTheSerialNumberThatItWasGiven() {
        try (Rig named = new Rig(new NvmeModel(1 << 20, 512, "SECOND")).enable()) {
            long its = named.pages(1);
            named.expectSuccess(Sqe.identify(1, 0, its));
            assertThat(text(named.bus.at(its), 4, 20)).isEqualTo("SECOND" + " ".repeat(14));
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "a\tb", "123456789012345678901"})
    void aSerialNumberThatCannotBeIsRefused(String serial) {
        assertThatIllegalArgumentException().isThrownBy(() -> new NvmeModel(1 << 20, 512, serial));
    }

    @Test
    void identifySaysHowLargeANamespaceIs() {
        rig.expectSuccess(Sqe.identify(0, 2, page));
        MemorySegment data = rig.bus.at(page);
        assertThat(data.get(JAVA_LONG, 0)).as("NSZE").isEqualTo(2048);
        assertThat(data.get(JAVA_LONG, 8)).as("NCAP").isEqualTo(2048);
        assertThat(data.get(JAVA_LONG, 16)).as("NUSE").isEqualTo(2048);
        assertThat(data.get(JAVA_BYTE, 25)).as("NLBAF").isZero();
        assertThat(data.get(JAVA_BYTE, 26)).as("FLBAS").isZero();
        assertThat(data.get(JAVA_BYTE, 130)).as("LBADS").isEqualTo((byte) 12);
    }

    @ParameterizedTest(name = "namespace {0}")
    @ValueSource(ints = {0, 3, -1})
    void identifyRefusesANamespaceThatIsNotThere(int namespace) {
        assertThat(rig.adminStatus(Sqe.identify(0, namespace, page))).isEqualTo(Status.INVALID_NAMESPACE);
        assertThat(rig.adminStatus(Sqe.identify(3, namespace, page))).isEqualTo(Status.INVALID_NAMESPACE);
    }

    @Test
    void identifyListsTheNamespaces() {
        rig.expectSuccess(Sqe.identify(2, 0, page));
        assertThat(rig.bus.at(page).get(JAVA_INT, 0)).isEqualTo(1);
        assertThat(rig.bus.at(page).get(JAVA_INT, 4)).isEqualTo(2);
        assertThat(rig.bus.at(page).get(JAVA_INT, 8)).isZero();
    }

    @Test
    void theListStartsAboveTheGivenNamespace() {
        rig.expectSuccess(Sqe.identify(2, 1, page));
        assertThat(rig.bus.at(page).get(JAVA_INT, 0)).isEqualTo(2);
        assertThat(rig.bus.at(page).get(JAVA_INT, 4)).isZero();
    }

    @ParameterizedTest(name = "above {0}")
    @ValueSource(ints = {-1, -2})
    void theListRefusesToStartAboveTheLastNamespaceThatCouldBe(int namespace) {
        assertThat(rig.adminStatus(Sqe.identify(2, namespace, page))).isEqualTo(Status.INVALID_NAMESPACE);
    }

    @Test
    void identifyDescribesANamespaceByItsEui64() {
        rig.expectSuccess(Sqe.identify(0, 2, page));
        byte[] inNamespace = rig.bus.at(page).asSlice(120, 8).toArray(JAVA_BYTE);
        rig.expectSuccess(Sqe.identify(3, 2, page));
        assertThat(rig.bus.at(page).get(JAVA_BYTE, 0)).as("NIDT").isEqualTo((byte) 1);
        assertThat(rig.bus.at(page).get(JAVA_BYTE, 1)).as("NIDL").isEqualTo((byte) 8);
        assertThat(rig.bus.at(page).asSlice(4, 8).toArray(JAVA_BYTE)).isEqualTo(inNamespace);
        assertThat(rig.bus.at(page).get(JAVA_INT, 12)).as("end of the list").isZero();
    }

    @Test
    void identifyRefusesAStructureThatIsNotThere() {
        assertThat(rig.adminStatus(Sqe.identify(0x7f, 0, page))).isEqualTo(Status.INVALID_FIELD);
    }

    @Test
    void identifyCanCrossAPage() {
        long two = rig.pages(2);
        rig.expectSuccess(Sqe.identify(1, 0, two + 2048).prp2(two + 4096));
        assertThat(text(rig.bus.at(two), 2048 + 64, 8)).isEqualTo("1.0     ");
        assertThat(rig.bus.at(two).get(JAVA_BYTE, 2048 + 513)).isEqualTo((byte) 0x44);
    }

    @Test
    void identifyIntoMemoryThatCannotBeWrittenIsATransferError() {
        assertThat(rig.adminStatus(Sqe.identify(1, 0, 0xdead_0000L))).isEqualTo(Status.DATA_TRANSFER_ERROR);
        assertThat(rig.read32(Registers.CSTS)).isEqualTo(Registers.CSTS_READY);
    }

    @Test
    void anUnknownOpcodeIsRefused() {
        assertThat(rig.adminStatus(Sqe.command(0x7f))).isEqualTo(Status.INVALID_OPCODE);
    }

    @Test
    void sglsAreRefused() {
        assertThat(rig.adminStatus(Sqe.identify(1, 0, page).flags(1 << 14))).isEqualTo(Status.INVALID_FIELD);
    }

    @Test
    void fusedCommandsAreRefused() {
        assertThat(rig.adminStatus(Sqe.identify(1, 0, page).flags(1 << 8))).isEqualTo(Status.INVALID_FIELD);
    }

    @Test
    void withoutARequestThereAre64PairsOfQueues() {
        assertThat(rig.admin.run(Sqe.getFeature(7)).result()).isEqualTo(63 << 16 | 63);
    }

    @Test
    void theDriverGetsAsManyQueuesAsItAsksFor() {
        assertThat(rig.admin.run(Sqe.setFeature(7, 3 << 16 | 1)).result()).isEqualTo(3 << 16 | 1);
        assertThat(rig.admin.run(Sqe.getFeature(7)).result()).isEqualTo(3 << 16 | 1);
    }

    @Test
    void theDriverGetsNoMoreQueuesThanThereAre() {
        assertThat(rig.admin.run(Sqe.setFeature(7, 999 << 16 | 999)).result()).isEqualTo(63 << 16 | 63);
    }

    @Test
    void asking65536QueuesIsRefused() {
        assertThat(rig.adminStatus(Sqe.setFeature(7, 0xffff))).isEqualTo(Status.INVALID_FIELD);
        assertThat(rig.adminStatus(Sqe.setFeature(7, 0xffff << 16))).isEqualTo(Status.INVALID_FIELD);
    }

    @Test
    void askingForQueuesAfterOneWasCreatedIsRefused() {
        rig.createPair(1, 8, -1);
        assertThat(rig.adminStatus(Sqe.setFeature(7, 0))).isEqualTo(Status.COMMAND_SEQUENCE_ERROR);
    }

    @Test
    void aResetForgetsTheNumberOfQueues() {
        rig.expectSuccess(Sqe.setFeature(7, 0));
        rig.disable();
        rig.enable();
        assertThat(rig.admin.run(Sqe.getFeature(7)).result()).isEqualTo(63 << 16 | 63);
    }

    @ParameterizedTest(name = "feature {0}")
    @ValueSource(ints = {0x01, 0x05, 0x08, 0x0a, 0x0b})
    void aFeatureKeepsItsValue(int feature) {
        rig.expectSuccess(Sqe.setFeature(feature, 5));
        assertThat(rig.admin.run(Sqe.getFeature(feature)).result()).isEqualTo(5);
    }

    @Test
    void theTwoTemperatureThresholdsAreApart() {
        rig.expectSuccess(Sqe.setFeature(4, 350));
        rig.expectSuccess(Sqe.setFeature(4, 1 << 20 | 280));
        assertThat(rig.admin.run(Sqe.getFeature(4)).result()).isEqualTo(350);
        assertThat(rig.admin.run(Sqe.getFeature(4).dword(11, 1 << 20)).result()).isEqualTo(280);
    }

    @Test
    void aTemperatureSensorThatIsNotThereIsRefused() {
        assertThat(rig.adminStatus(Sqe.setFeature(4, 1 << 16))).isEqualTo(Status.INVALID_FIELD);
        assertThat(rig.adminStatus(Sqe.getFeature(4).dword(11, 1 << 16))).isEqualTo(Status.INVALID_FIELD);
    }

    @Test
    void coalescingIsDisabledForOneVector() {
        rig.expectSuccess(Sqe.setFeature(9, 1 << 16 | 3));
        assertThat(rig.admin.run(Sqe.getFeature(9).dword(11, 3)).result()).isEqualTo(1 << 16 | 3);
        assertThat(rig.admin.run(Sqe.getFeature(9).dword(11, 4)).result()).isEqualTo(4);
    }

    @Test
    void aVectorThatIsNotThereIsRefused() {
        assertThat(rig.adminStatus(Sqe.setFeature(9, 65))).isEqualTo(Status.INVALID_FIELD);
        assertThat(rig.adminStatus(Sqe.getFeature(9).dword(11, 65))).isEqualTo(Status.INVALID_FIELD);
    }

    @Test
    void thereIsOnePowerState() {
        assertThat(rig.adminStatus(Sqe.setFeature(2, 0))).isEqualTo(Status.SUCCESS);
        assertThat(rig.adminStatus(Sqe.setFeature(2, 1))).isEqualTo(Status.INVALID_FIELD);
    }

    @ParameterizedTest(name = "feature {0}")
    @ValueSource(ints = {0x00, 0x03, 0x06, 0xff})
    void aFeatureThatIsNotThereIsRefused(int feature) {
        assertThat(rig.adminStatus(Sqe.setFeature(feature, 0))).isEqualTo(Status.INVALID_FIELD);
        assertThat(rig.adminStatus(Sqe.getFeature(feature))).isEqualTo(Status.INVALID_FIELD);
    }

    @Test
    void aFeatureCannotBeSaved() {
        assertThat(rig.adminStatus(Sqe.setFeature(1, 0).dword(10, 1 << 31 | 1)))
                .isEqualTo(Status.FEATURE_NOT_SAVEABLE);
    }

    @Test
    void onlyTheCurrentValueOfAFeatureCanBeAskedFor() {
        assertThat(rig.adminStatus(Sqe.getFeature(1 | 1 << 8))).isEqualTo(Status.INVALID_FIELD);
    }

    @Test
    void aFeatureIsNotSetForOneNamespace() {
        assertThat(rig.adminStatus(Sqe.setFeature(1, 0).namespace(1)))
                .isEqualTo(Status.FEATURE_NOT_NAMESPACE_SPECIFIC);
    }

    @Test
    void aPairOfQueuesCanBeCreatedUsedAndDeleted() {
        Ring ring = rig.createPair(64, 8, -1);
        assertThat(ring.run(Sqe.command(0).namespace(1)).status()).isEqualTo(Status.SUCCESS);
        rig.expectSuccess(Sqe.deleteSubmissionQueue(64));
        rig.expectSuccess(Sqe.deleteCompletionQueue(64));
    }

    @ParameterizedTest(name = "queue {0}")
    @ValueSource(ints = {0, 65, 0xffff})
    void aCompletionQueueNeedsAnIdentifierInRange(int id) {
        assertThat(rig.adminStatus(Sqe.createCompletionQueue(id, 8, page))).isEqualTo(Status.INVALID_QUEUE_IDENTIFIER);
    }

    @Test
    void aCompletionQueueNeedsAnIdentifierThatWasAskedFor() {
        rig.expectSuccess(Sqe.setFeature(7, 1 << 16 | 1));
        rig.expectSuccess(Sqe.createCompletionQueue(2, 8, page));
        assertThat(rig.adminStatus(Sqe.createCompletionQueue(3, 8, page))).isEqualTo(Status.INVALID_QUEUE_IDENTIFIER);
    }

    @Test
    void aCompletionQueueIsNotCreatedTwice() {
        rig.expectSuccess(Sqe.createCompletionQueue(1, 8, page));
        assertThat(rig.adminStatus(Sqe.createCompletionQueue(1, 8, page))).isEqualTo(Status.INVALID_QUEUE_IDENTIFIER);
    }

    @ParameterizedTest(name = "{0} entries")
    @ValueSource(ints = {1, 2049, 65536})
    void aQueueNeedsFrom2To2048Entries(int entries) {
        rig.expectSuccess(Sqe.createCompletionQueue(1, 8, page));
        assertThat(rig.adminStatus(Sqe.createCompletionQueue(2, entries, page))).isEqualTo(Status.INVALID_QUEUE_SIZE);
        assertThat(rig.adminStatus(Sqe.createSubmissionQueue(1, entries, page, 1)))
                .isEqualTo(Status.INVALID_QUEUE_SIZE);
    }

    @Test
    void aQueueNeedsTheEntrySizeToBeConfigured() {
        rig.disable();
        rig.enable(16, 1);
        assertThat(rig.adminStatus(Sqe.createCompletionQueue(1, 8, page))).isEqualTo(Status.INVALID_QUEUE_SIZE);
    }

    @Test
    void aQueueMustBeContiguous() {
        rig.expectSuccess(Sqe.createCompletionQueue(1, 8, page));
        assertThat(rig.adminStatus(Sqe.createCompletionQueue(2, 8, page).dword(11, 0)))
                .isEqualTo(Status.INVALID_FIELD);
        assertThat(rig.adminStatus(Sqe.createSubmissionQueue(1, 8, page, 1).dword(11, 1 << 16)))
                .isEqualTo(Status.INVALID_FIELD);
    }

    @Test
    void aQueueMustStartAtAPage() {
        rig.expectSuccess(Sqe.createCompletionQueue(1, 8, page));
        assertThat(rig.adminStatus(Sqe.createCompletionQueue(2, 8, page + 64))).isEqualTo(Status.INVALID_PRP_OFFSET);
        assertThat(rig.adminStatus(Sqe.createSubmissionQueue(1, 8, page + 64, 1)))
                .isEqualTo(Status.INVALID_PRP_OFFSET);
    }

    @Test
    void aCompletionQueueNeedsAVectorThatIsThere() {
        Sqe last = Sqe.createCompletionQueue(1, 8, page).dword(11, 64 << 16 | 3);
        Sqe beyond = Sqe.createCompletionQueue(2, 8, page).dword(11, 65 << 16 | 3);
        assertThat(rig.adminStatus(last)).isEqualTo(Status.SUCCESS);
        assertThat(rig.adminStatus(beyond)).isEqualTo(Status.INVALID_INTERRUPT_VECTOR);
    }

    @ParameterizedTest(name = "queue {0}")
    @ValueSource(ints = {0, 65, 0xffff})
    void aSubmissionQueueNeedsAnIdentifierInRange(int id) {
        rig.expectSuccess(Sqe.createCompletionQueue(1, 8, page));
        assertThat(rig.adminStatus(Sqe.createSubmissionQueue(id, 8, page, 1)))
                .isEqualTo(Status.INVALID_QUEUE_IDENTIFIER);
    }

    @Test
    void aSubmissionQueueIsNotCreatedTwice() {
        rig.createPair(1, 8, -1);
        assertThat(rig.adminStatus(Sqe.createSubmissionQueue(1, 8, page, 1)))
                .isEqualTo(Status.INVALID_QUEUE_IDENTIFIER);
    }

    @Test
    void aSubmissionQueueNeedsACompletionQueueThatExists() {
        assertThat(rig.adminStatus(Sqe.createSubmissionQueue(1, 8, page, 1)))
                .isEqualTo(Status.INVALID_COMPLETION_QUEUE);
    }

    @ParameterizedTest(name = "completion queue {0}")
    @ValueSource(ints = {0, 65})
    void aSubmissionQueueCannotCompleteToAQueueOutOfRange(int completions) {
        assertThat(rig.adminStatus(Sqe.createSubmissionQueue(1, 8, page, completions)))
                .isEqualTo(Status.INVALID_QUEUE_IDENTIFIER);
    }

    @ParameterizedTest(name = "queue {0}")
    @ValueSource(ints = {0, 1, 65, 0xffff})
    void aQueueThatIsNotThereCannotBeDeleted(int id) {
        assertThat(rig.adminStatus(Sqe.deleteSubmissionQueue(id))).isEqualTo(Status.INVALID_QUEUE_IDENTIFIER);
        assertThat(rig.adminStatus(Sqe.deleteCompletionQueue(id))).isEqualTo(Status.INVALID_QUEUE_IDENTIFIER);
    }

    @Test
    void aCompletionQueueInUseCannotBeDeleted() {
        rig.createPair(1, 8, -1);
        assertThat(rig.adminStatus(Sqe.deleteCompletionQueue(1))).isEqualTo(Status.INVALID_QUEUE_DELETION);
        rig.expectSuccess(Sqe.deleteSubmissionQueue(1));
        assertThat(rig.adminStatus(Sqe.deleteCompletionQueue(1))).isEqualTo(Status.SUCCESS);
    }

    @Test
    void theHealthLogCountsCommands() {
        Ring ring = rig.createPair(1, 8, -1);
        long data = rig.pages(1);
        ring.run(Sqe.write(0, 1, data, 0));
        ring.run(Sqe.read(0, 8, data, 0));
        ring.run(Sqe.read(0, 8, data, 0));
        rig.expectSuccess(Sqe.getLogPage(2, 512, page));
        assertThat(rig.bus.at(page).get(JAVA_LONG, 64)).as("reads").isEqualTo(2);
        assertThat(rig.bus.at(page).get(JAVA_LONG, 80)).as("writes").isEqualTo(1);
        assertThat(rig.bus.at(page).get(JAVA_LONG, 112)).as("power cycles").isEqualTo(1);
    }

    @Test
    void theFirmwareLogNamesTheActiveSlot() {
        rig.expectSuccess(Sqe.getLogPage(3, 512, page));
        assertThat(rig.bus.at(page).get(JAVA_BYTE, 0)).isEqualTo((byte) 1);
        assertThat(text(rig.bus.at(page), 8, 8)).isEqualTo("1.0     ");
    }

    @Test
    void aLogCanBeReadInPart() {
        rig.bus.at(page).asSlice(0, 64).fill((byte) 0x55);
        rig.expectSuccess(Sqe.getLogPage(3, 12, page));
        assertThat(text(rig.bus.at(page), 8, 4)).isEqualTo("1.0 ");
        assertThat(rig.bus.at(page).get(JAVA_BYTE, 12)).isEqualTo((byte) 0x55);
    }

    @Test
    void aLogThatIsNotThereIsRefused() {
        assertThat(rig.adminStatus(Sqe.getLogPage(0x80, 512, page))).isEqualTo(Status.INVALID_LOG_PAGE);
    }

    @Test
    void thereIsNoLogForOneNamespace() {
        assertThat(rig.adminStatus(Sqe.getLogPage(2, 512, page).namespace(1))).isEqualTo(Status.INVALID_FIELD);
    }

    @Test
    void aCommandThatIsDoneCannotBeAborted() {
        Completion completion = rig.admin.run(Sqe.abort(0, 77));
        assertThat(completion.status()).isEqualTo(Status.SUCCESS);
        assertThat(completion.result()).isEqualTo(1);
    }

    @Test
    void aCommandOfAQueueThatIsNotThereCannotBeAborted() {
        assertThat(rig.adminStatus(Sqe.abort(5, 77))).isEqualTo(Status.INVALID_FIELD);
    }

    private static String text(MemorySegment data, long offset, int width) {
        return new String(data.asSlice(offset, width).toArray(JAVA_BYTE), StandardCharsets.US_ASCII);
    }
}
