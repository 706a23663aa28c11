package io.github.vfio4j.examples.nvme;

/** Status codes in words (section 4.6.1.2). */
final class StatusNames {
    private StatusNames() {}

    static String type(int type) {
        return switch (type) {
            case 0 -> "generic";
            case 1 -> "command specific";
            case 2 -> "media and data integrity";
            case 3 -> "path related";
            case 7 -> "vendor specific";
            default -> "reserved";
        };
    }

    static String code(int type, int code) {
        String name =
                switch (type) {
                    case 0 -> generic(code);
                    case 1 -> commandSpecific(code);
                    case 2 -> media(code);
                    default -> null;
                };
        return name == null ? "unknown status" : name;
    }

    private static String generic(int code) {
        return switch (code) {
            case 0x00 -> "Successful Completion";
            case 0x01 -> "Invalid Command Opcode";
            case 0x02 -> "Invalid Field in Command";
            case 0x03 -> "Command ID Conflict";
            case 0x04 -> "Data Transfer Error";
            case 0x05 -> "Commands Aborted due to Power Loss Notification";
            case 0x06 -> "Internal Error";
            case 0x07 -> "Command Abort Requested";
            case 0x08 -> "Command Aborted due to SQ Deletion";
            case 0x09 -> "Command Aborted due to Failed Fused Command";
            case 0x0a -> "Command Aborted due to Missing Fused Command";
            case 0x0b -> "Invalid Namespace or Format";
            case 0x0c -> "Command Sequence Error";
            case 0x13 -> "PRP Offset Invalid";
            case 0x15 -> "Operation Denied";
            case 0x1c -> "Sanitize Failed";
            case 0x1d -> "Sanitize In Progress";
            case 0x20 -> "Namespace is Write Protected";
            case 0x80 -> "LBA Out of Range";
            case 0x81 -> "Capacity Exceeded";
            case 0x82 -> "Namespace Not Ready";
            case 0x83 -> "Reservation Conflict";
            case 0x84 -> "Format In Progress";
            default -> null;
        };
    }

    private static String commandSpecific(int code) {
        return switch (code) {
            case 0x00 -> "Completion Queue Invalid";
            case 0x01 -> "Invalid Queue Identifier";
            case 0x02 -> "Invalid Queue Size";
            case 0x03 -> "Abort Command Limit Exceeded";
            case 0x05 -> "Asynchronous Event Request Limit Exceeded";
            case 0x08 -> "Invalid Interrupt Vector";
            case 0x09 -> "Invalid Log Page";
            case 0x0a -> "Invalid Format";
            case 0x0c -> "Invalid Queue Deletion";
            case 0x0d -> "Feature Identifier Not Saveable";
            case 0x0e -> "Feature Not Changeable";
            case 0x0f -> "Feature Not Namespace Specific";
            case 0x80 -> "Conflicting Attributes";
            case 0x81 -> "Invalid Protection Information";
            case 0x82 -> "Attempted Write to Read Only Range";
            default -> null;
        };
    }

    private static String media(int code) {
        return switch (code) {
            case 0x80 -> "Write Fault";
            case 0x81 -> "Unrecovered Read Error";
            case 0x82 -> "End-to-end Guard Check Error";
            case 0x83 -> "End-to-end Application Tag Check Error";
            case 0x84 -> "End-to-end Reference Tag Check Error";
            case 0x85 -> "Compare Failure";
            case 0x86 -> "Access Denied";
            case 0x87 -> "Deallocated or Unwritten Logical Block";
            default -> null;
        };
    }
}
