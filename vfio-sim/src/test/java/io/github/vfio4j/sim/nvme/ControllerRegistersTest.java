package io.github.vfio4j.sim.nvme;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class ControllerRegistersTest {
    private final Rig rig = new Rig();

    @AfterEach
    void powerOff() {
        rig.close();
    }

    @Test
    void theVersionIs14() {
        assertThat(rig.read32(Registers.VS)).isEqualTo(0x00010400);
    }

    @Test
    void theCapabilitiesSayWhatTheControllerDoes() {
        long cap = rig.read64(Registers.CAP);
        assertThat(cap & 0xffff).as("MQES").isEqualTo(2047);
        assertThat(cap >>> 16 & 1).as("CQR").isEqualTo(1);
        assertThat(cap >>> 24 & 0xff).as("TO").isEqualTo(15);
        assertThat(cap >>> 32 & 0xf).as("DSTRD").isZero();
        assertThat(cap >>> 37 & 0xff).as("CSS").isEqualTo(1);
        assertThat(cap >>> 48 & 0xf).as("MPSMIN").isZero();
        assertThat(cap >>> 52 & 0xf).as("MPSMAX").isEqualTo(4);
    }

    @Test
    void itStartsDisabledAndNotReady() {
        assertThat(rig.read32(Registers.CC)).isZero();
        assertThat(rig.read32(Registers.CSTS)).isZero();
    }

    @Test
    void enablingMakesItReady() {
        rig.enable();
        assertThat(rig.read32(Registers.CSTS)).isEqualTo(Registers.CSTS_READY);
    }

    @Test
    void disablingEndsReadyAndKeepsTheAdminQueueRegisters() {
        rig.enable();
        rig.disable();
        assertThat(rig.read64(Registers.ASQ)).isEqualTo(rig.admin.submissions);
        assertThat(rig.read64(Registers.ACQ)).isEqualTo(rig.admin.completions);
        assertThat(rig.read32(Registers.AQA)).isEqualTo(15 << 16 | 15);
    }

    @Test
    void itCanBeEnabledAgain() {
        rig.enable();
        rig.admin.run(Sqe.getFeature(7));
        rig.disable();
        rig.enable();
        assertThat(rig.adminStatus(Sqe.getFeature(7))).isEqualTo(Status.SUCCESS);
    }

    @Test
    void disablingDeletesTheIoQueues() {
        rig.enable();
        rig.createPair(1, 8, -1);
        rig.disable();
        rig.enable();
        assertThat(rig.adminStatus(Sqe.deleteSubmissionQueue(1))).isEqualTo(Status.INVALID_QUEUE_IDENTIFIER);
    }

    @Test
    void aCommandThatWaitedInTheQueueIsForgottenWhenItIsDisabled() {
        rig.enable();
        rig.admin.put(Sqe.getFeature(7));
        rig.disable();
        rig.enable();
        int id = rig.admin.submit(Sqe.getFeature(7));
        assertThat(rig.admin.take().commandId()).isEqualTo(id);
    }

    @ParameterizedTest(name = "SHN={0}")
    @ValueSource(ints = {1, 2})
    void aShutdownCompletes(int notification) {
        rig.enable();
        rig.write32(Registers.CC, Rig.ENABLE | notification << 14);
        rig.awaitStatus(Registers.CSTS_READY | Registers.CSTS_SHUTDOWN_COMPLETE);
    }

    @Test
    void afterAShutdownNoCommandIsTaken() {
        rig.enable();
        rig.write32(Registers.CC, Rig.ENABLE | 1 << 14);
        rig.awaitStatus(Registers.CSTS_READY | Registers.CSTS_SHUTDOWN_COMPLETE);
        rig.admin.submit(Sqe.getFeature(7));
        rig.awaitLook();
        rig.awaitLook();
        assertThat(rig.admin.hasCompletion()).isFalse();
    }

    @Test
    void afterAShutdownAResetBringsItBack() {
        rig.enable();
        rig.write32(Registers.CC, Rig.ENABLE | 1 << 14);
        rig.awaitStatus(Registers.CSTS_READY | Registers.CSTS_SHUTDOWN_COMPLETE);
        rig.disable();
        rig.enable();
        assertThat(rig.adminStatus(Sqe.getFeature(7))).isEqualTo(Status.SUCCESS);
    }

    @Test
    void aShutdownOfADisabledControllerCompletesToo() {
        rig.write32(Registers.CC, 1 << 14);
        rig.awaitStatus(Registers.CSTS_SHUTDOWN_COMPLETE);
    }

    @ParameterizedTest(name = "offset {0}")
    @ValueSource(longs = {0x00, 0x04, 0x08, 0x0c, 0x10, 0x1c, 0x20, 0x38, 0x3c, 0x40})
    void aReadOnlyRegisterGetsItsValueBack(long offset) {
        int value = rig.read32(offset);
        rig.write32(offset, ~value);
        rig.await("the register to be restored", () -> rig.read32(offset) == value);
    }

    @Test
    void theAdminQueueRegistersStayAsTheyAreWritten() {
        rig.write32(Registers.AQA, 0x00ff00ff);
        rig.write64(Registers.ASQ, 0x1234_5678_9000L);
        rig.write64(Registers.ACQ, 0xabcd_ef01_2000L);
        rig.awaitLook();
        assertThat(rig.read32(Registers.AQA)).isEqualTo(0x00ff00ff);
        assertThat(rig.read64(Registers.ASQ)).isEqualTo(0x1234_5678_9000L);
        assertThat(rig.read64(Registers.ACQ)).isEqualTo(0xabcd_ef01_2000L);
    }

    @Test
    void enablingWithoutASubmissionQueueIsFatal() {
        rig.setUpAdmin(16);
        rig.write64(Registers.ASQ, 0);
        expectFatal(Rig.ENABLE);
    }

    @Test
    void enablingWithoutACompletionQueueIsFatal() {
        rig.setUpAdmin(16);
        rig.write64(Registers.ACQ, 0);
        expectFatal(Rig.ENABLE);
    }

    @Test
    void enablingWithAMisalignedQueueIsFatal() {
        rig.setUpAdmin(16);
        rig.write64(Registers.ASQ, rig.admin.submissions + 64);
        expectFatal(Rig.ENABLE);
    }

    @Test
    void enablingWithAQueueMisalignedToALargerPageIsFatal() {
        rig.align(8192);
        rig.pages(1);
        rig.setUpAdmin(16);
        expectFatal(Rig.ENABLE | 1 << 7);
    }

    @Test
    void enablingWithAQueueOfOneEntryIsFatal() {
        rig.setUpAdmin(16);
        rig.write32(Registers.AQA, 15);
        expectFatal(Rig.ENABLE);
    }

    @Test
    void enablingWithAPageSizeAboveTheLargestIsFatal() {
        rig.align(1 << 20);
        rig.setUpAdmin(16);
        expectFatal(Rig.ENABLE | 5 << 7);
    }

    @Test
    void enablingWithAnotherCommandSetIsFatal() {
        rig.setUpAdmin(16);
        expectFatal(Rig.ENABLE | 1 << 4);
    }

    @Test
    void enablingWithAnotherArbitrationIsFatal() {
        rig.setUpAdmin(16);
        expectFatal(Rig.ENABLE | 1 << 11);
    }

    @Test
    void aSubmissionQueueThatCannotBeReadIsFatal() {
        rig.setUpAdmin(16);
        rig.write64(Registers.ASQ, 0xdead_0000_0000L);
        rig.write32(Registers.CC, Rig.ENABLE);
        rig.awaitStatus(Registers.CSTS_READY);
        rig.admin.submit(Sqe.getFeature(7));
        rig.awaitStatus(Registers.CSTS_READY | Registers.CSTS_FATAL);
    }

    @Test
    void aCompletionQueueThatCannotBeWrittenIsFatal() {
        rig.setUpAdmin(16);
        rig.write64(Registers.ACQ, 0xdead_0000_0000L);
        rig.write32(Registers.CC, Rig.ENABLE);
        rig.awaitStatus(Registers.CSTS_READY);
        rig.admin.submit(Sqe.getFeature(7));
        rig.awaitStatus(Registers.CSTS_READY | Registers.CSTS_FATAL);
    }

    @Test
    void aFatalStatusEndsWithAReset() {
        rig.enable();
        rig.bus.refuseDma();
        rig.admin.submit(Sqe.getFeature(7));
        rig.awaitStatus(Registers.CSTS_READY | Registers.CSTS_FATAL);
        rig.disable();
        rig.bus.allowDma();
        rig.enable();
        assertThat(rig.adminStatus(Sqe.getFeature(7))).isEqualTo(Status.SUCCESS);
    }

    private void expectFatal(int configuration) {
        rig.write32(Registers.CC, configuration);
        rig.awaitStatus(Registers.CSTS_FATAL);
    }
}
