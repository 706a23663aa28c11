package io.github.vfio4j.sim.nvme;

import java.util.Arrays;

/**
 * Set Features and Get Features (NVM Express 1.4 section 5.21.1): the mandatory features, current values only. What has
 * no meaning in a simulated controller, such as an error recovery time, is kept and given back.
 */
final class Features {
    private static final int ARBITRATION = 0x01;
    private static final int POWER_MANAGEMENT = 0x02;
    private static final int TEMPERATURE_THRESHOLD = 0x04;
    private static final int ERROR_RECOVERY = 0x05;
    private static final int NUMBER_OF_QUEUES = 0x07;
    private static final int INTERRUPT_COALESCING = 0x08;
    private static final int INTERRUPT_VECTOR = 0x09;
    private static final int WRITE_ATOMICITY = 0x0a;
    private static final int ASYNC_EVENTS = 0x0b;
    private static final int COUNT = 0x0c;

    private static final int EVERY_NAMESPACE = -1;
    private static final int SAVE = 1 << 31;
    private static final int COALESCING_DISABLED = 1 << 16;

    private final int[] plain = new int[COUNT];
    private final int[] temperature = new int[2];
    private final boolean[] uncoalesced = new boolean[NvmeModel.VECTORS];
    private final Queues queues;
    private int submissionQueues;
    private int completionQueues;
    private int result;

    Features(Queues queues) {
        this.queues = queues;
        reset();
    }

    final void reset() {
        Arrays.fill(plain, 0);
        Arrays.fill(uncoalesced, false);
        temperature[0] = 0xffff;
        temperature[1] = 0;
        submissionQueues = queues.maxPairs();
        completionQueues = queues.maxPairs();
    }

    /** How many I/O submission queues the driver may create. */
    int submissionQueues() {
        return submissionQueues;
    }

    /** How many I/O completion queues the driver may create. */
    int completionQueues() {
        return completionQueues;
    }

    /** Dword 0 of the completion after a success. */
    int result() {
        return result;
    }

    Status set(Command command) {
        result = 0;
        int value = command.dword(11);
        if ((command.dword(10) & SAVE) != 0) {
            return Status.FEATURE_NOT_SAVEABLE;
        }
        if (command.namespaceId() != 0 && command.namespaceId() != EVERY_NAMESPACE) {
            return Status.FEATURE_NOT_NAMESPACE_SPECIFIC;
        }
        int feature = command.dword(10) & 0xff;
        return switch (feature) {
            case ARBITRATION, ERROR_RECOVERY, INTERRUPT_COALESCING, WRITE_ATOMICITY, ASYNC_EVENTS -> {
                plain[feature] = value;
                yield Status.SUCCESS;
            }
            // There is one power state, 0.
            case POWER_MANAGEMENT -> (value & 0x1f) == 0 ? Status.SUCCESS : Status.INVALID_FIELD;
            case TEMPERATURE_THRESHOLD -> setTemperature(value);
            case NUMBER_OF_QUEUES -> setNumberOfQueues(value);
            case INTERRUPT_VECTOR -> setVector(value);
            default -> Status.INVALID_FIELD;
        };
    }

    Status get(Command command) {
        result = 0;
        int feature = command.dword(10) & 0xff;
        int select = command.dword(10) >>> 8 & 7;
        int argument = command.dword(11);
        if (select != 0) {
            return Status.INVALID_FIELD;
        }
        switch (feature) {
            case ARBITRATION, POWER_MANAGEMENT, ERROR_RECOVERY, INTERRUPT_COALESCING, WRITE_ATOMICITY, ASYNC_EVENTS ->
                result = plain[feature];
            case TEMPERATURE_THRESHOLD -> {
                int type = thresholdType(argument);
                if (type < 0) {
                    return Status.INVALID_FIELD;
                }
                result = temperature[type];
            }
            case NUMBER_OF_QUEUES -> result = submissionQueues - 1 | completionQueues - 1 << 16;
            case INTERRUPT_VECTOR -> {
                int vector = argument & 0xffff;
                if (vector >= NvmeModel.VECTORS) {
                    return Status.INVALID_FIELD;
                }
                result = vector | (uncoalesced[vector] ? COALESCING_DISABLED : 0);
            }
            default -> {
                return Status.INVALID_FIELD;
            }
        }
        return Status.SUCCESS;
    }

    private Status setTemperature(int value) {
        int type = thresholdType(value);
        if (type < 0) {
            return Status.INVALID_FIELD;
        }
        temperature[type] = value & 0xffff;
        return Status.SUCCESS;
    }

    /** 0 for the over temperature, 1 for the under temperature threshold of the composite sensor, the only one. */
    private static int thresholdType(int value) {
        int sensor = value >>> 16 & 0xf;
        int type = value >>> 20 & 3;
        return sensor == 0 && type < 2 ? type : -1;
    }

    private Status setNumberOfQueues(int value) {
        int submission = value & 0xffff;
        int completion = value >>> 16;
        if (submission == 0xffff || completion == 0xffff) {
            return Status.INVALID_FIELD;
        }
        if (queues.anyBesidesAdmin()) {
            return Status.COMMAND_SEQUENCE_ERROR;
        }
        submissionQueues = Math.min(submission + 1, queues.maxPairs());
        completionQueues = Math.min(completion + 1, queues.maxPairs());
        result = submissionQueues - 1 | completionQueues - 1 << 16;
        return Status.SUCCESS;
    }

    private Status setVector(int value) {
        int vector = value & 0xffff;
        if (vector >= NvmeModel.VECTORS) {
            return Status.INVALID_FIELD;
        }
        uncoalesced[vector] = (value & COALESCING_DISABLED) != 0;
        return Status.SUCCESS;
    }
}
