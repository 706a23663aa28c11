package io.github.vfio4j.sim;

import io.github.vfio4j.PciAddress;
import java.util.Optional;
import java.util.UUID;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * The name that VFIO_GROUP_GET_DEVICE_FD takes: an address, and after a space options, of which the kernel knows
 * {@code vf_token=UUID} alone.
 */
record DeviceName(String text) {
    private static final Pattern OPTIONS = Pattern.compile(
            "( [ \\t\\n\\x0b\\f\\r]*(vf_token=(\\p{XDigit}{8}(-\\p{XDigit}{4}){3}-\\p{XDigit}{12}))?[ \\t\\n\\x0b\\f\\r]*)?");

    /** Does it name this function, whatever options follow? */
    boolean names(PciAddress address) {
        String name = address.toString();
        return text.startsWith(name) && (text.length() == name.length() || text.charAt(name.length()) == ' ');
    }

    boolean wellFormed() {
        return options().matches();
    }

    /** The token of a well-formed name. */
    Optional<UUID> token() {
        Matcher options = options();
        return options.matches() ? Optional.ofNullable(options.group(3)).map(UUID::fromString) : Optional.empty();
    }

    private Matcher options() {
        int space = text.indexOf(' ');
        return OPTIONS.matcher(space < 0 ? "" : text.substring(space));
    }
}
