package io.github.vfio4j.sim.nvme;

import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class EventsTest {
    /** Dword 0 of the completions: type error, the kind of error, log page 1. */
    private static final int BAD_REGISTER = 0x01_00_00;

    private static final int BAD_VALUE = 0x01_01_00;

    private final Rig rig = Rig.enabled();

    @AfterEach
    void powerOff() {
        rig.close();
    }

    @Test
    void aRequestWaitsWhileNothingHappens() {
        rig.admin.submit(Sqe.asyncEventRequest());
        int id = rig.admin.submit(Sqe.getFeature(7));
        assertThat(rig.admin.take().commandId()).isEqualTo(id);
    }

    @Test
    void aBadDoorbellValueIsReported() {
        int id = rig.admin.submit(Sqe.asyncEventRequest());
        rig.write32(Registers.headDoorbell(0), 99);
        Completion completion = rig.admin.take();
        assertThat(completion.commandId()).isEqualTo(id);
        assertThat(completion.status()).isEqualTo(Status.SUCCESS);
        assertThat(completion.result()).isEqualTo(BAD_VALUE);
    }

    @Test
    void aDoorbellOfNoQueueIsReported() {
        rig.admin.submit(Sqe.asyncEventRequest());
        rig.write32(Registers.tailDoorbell(7), 1);
        assertThat(rig.admin.take().result()).isEqualTo(BAD_REGISTER);
    }

    @Test
    void anEventIsKeptUntilARequestComes() {
        rig.write32(Registers.tailDoorbell(7), 1);
        rig.await("the doorbell to be taken back", () -> rig.read32(Registers.tailDoorbell(7)) == 0);
        assertThat(rig.admin.run(Sqe.asyncEventRequest()).result()).isEqualTo(BAD_REGISTER);
    }

    @Test
    void afterAReportTheNextOneComesOnlyOnceTheLogWasRead() {
        rig.admin.submit(Sqe.asyncEventRequest());
        rig.admin.submit(Sqe.asyncEventRequest());
        strayDoorbell();
        rig.admin.take();
        strayDoorbell();
        long page = rig.pages(1);
        Completion log = rig.admin.run(Sqe.getLogPage(1, 64, page));
        assertThat(log.result()).as("the log's completion, no report").isZero();
        assertThat(rig.bus.at(page).get(JAVA_LONG, 0)).as("errors").isEqualTo(2);
        strayDoorbell();
        assertThat(rig.admin.take().result()).isEqualTo(BAD_REGISTER);
    }

    @Test
    void readingTheLogMayLeaveTheEventAlone() {
        rig.admin.submit(Sqe.asyncEventRequest());
        rig.admin.submit(Sqe.asyncEventRequest());
        strayDoorbell();
        rig.admin.take();
        rig.expectSuccess(Sqe.getLogPage(1, 64, rig.pages(1)).dword(10, 15 << 16 | 1 << 15 | 1));
        strayDoorbell();
        int id = rig.admin.submit(Sqe.getFeature(7));
        assertThat(rig.admin.take().commandId()).isEqualTo(id);
    }

    @Test
    void theErrorLogIsEmptyWithoutErrors() {
        long page = rig.pages(1);
        rig.expectSuccess(Sqe.getLogPage(1, 64, page));
        assertThat(rig.bus.at(page).get(JAVA_LONG, 0)).isZero();
        assertThat(rig.bus.at(page).get(JAVA_LONG, 8)).isZero();
    }

    @Test
    void fiveRequestsAreOneTooMany() {
        for (int i = 0; i < 4; i++) {
            rig.admin.submit(Sqe.asyncEventRequest());
        }
        int id = rig.admin.submit(Sqe.asyncEventRequest());
        Completion completion = rig.admin.take();
        assertThat(completion.commandId()).isEqualTo(id);
        assertThat(completion.status()).isEqualTo(Status.TOO_MANY_EVENT_REQUESTS);
    }

    @Test
    void aWaitingRequestCanBeAborted() {
        int request = rig.admin.submit(Sqe.asyncEventRequest());
        int abort = rig.admin.submit(Sqe.abort(0, request));
        Completion first = rig.admin.take();
        assertThat(first.commandId()).isEqualTo(abort);
        assertThat(first.result()).as("0 is aborted").isZero();
        Completion second = rig.admin.take();
        assertThat(second.commandId()).isEqualTo(request);
        assertThat(second.status()).isEqualTo(Status.ABORT_REQUESTED);
    }

    @Test
    void aResetForgetsTheRequests() {
        rig.admin.submit(Sqe.asyncEventRequest());
        rig.expectSuccess(Sqe.getFeature(7));
        rig.disable();
        rig.enable();
        strayDoorbell();
        int id = rig.admin.submit(Sqe.getFeature(7));
        assertThat(rig.admin.take().commandId()).isEqualTo(id);
    }

    private void strayDoorbell() {
        rig.write32(Registers.tailDoorbell(7), 1);
        rig.await("the doorbell to be taken back", () -> rig.read32(Registers.tailDoorbell(7)) == 0);
    }
}
