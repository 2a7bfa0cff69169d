import java.io.PrintWriter;
import java.io.StringWriter;
import java.util.Objects;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** How a check is named and told to the runner: one line of JSON each, {feature, name, ok, note, seconds, refused?}. */
final class Checks {
  private Checks() {}

  /** It works when nothing is thrown. */
  interface Body {
    void run() throws Exception;
  }

  /** Returns what the client says about something that is not served, or null if it works. */
  interface Refusal {
    String run() throws Exception;
  }

  static void check(String feature, String name, Body body) {
    long started = System.nanoTime();
    try {
      body.run();
      tell(feature, name, true, false, "", started);
    } catch (Throwable problem) {
      tell(feature, name, false, false, stackOf(problem), started);
    }
  }

  /** For what is not served yet: what the client says has to contain what is {@code clear}. */
  static void notServed(String feature, String clear, Refusal body) {
    long started = System.nanoTime();
    String name = "the client says so";
    try {
      String says = body.run();
      if (says == null) {
        tell(feature, name, false, true, "it works now: make this an ordinary check", started);
        return;
      }
      Matcher found = Pattern.compile(clear).matcher(says);
      boolean ok = found.find();
      tell(feature, name, ok, true, ok ? found.group() : "not a clear refusal: " + says, started);
    } catch (Throwable problem) {
      tell(feature, name, false, true, stackOf(problem), started);
    }
  }

  static void require(boolean holds, Object explanation) {
    if (!holds) throw new AssertionError(String.valueOf(explanation));
  }

  static void same(Object expected, Object actual) {
    if (!Objects.equals(expected, actual)) throw new AssertionError("expected " + shortened(expected) + ", got " + shortened(actual));
  }

  /** What a call throws has to be of this kind, itself or as the cause of an ExecutionException. */
  static <T extends Throwable> T fails(Class<T> kind, Body body) {
    try {
      body.run();
    } catch (Throwable problem) {
      for (Throwable cause = problem; cause != null; cause = cause.getCause()) if (kind.isInstance(cause)) return kind.cast(cause);
      throw new AssertionError("expected " + kind.getSimpleName() + ", got " + problem, problem);
    }
    throw new AssertionError("expected " + kind.getSimpleName() + ", nothing was thrown");
  }

  private static String shortened(Object value) {
    String text = String.valueOf(value);
    return text.length() > 300 ? text.substring(0, 300) + "…" : text;
  }

  private static String stackOf(Throwable problem) {
    StringWriter text = new StringWriter();
    problem.printStackTrace(new PrintWriter(text));
    return text.toString();
  }

  private static void tell(String feature, String name, boolean ok, boolean refused, String note, long started) {
    double seconds = (System.nanoTime() - started) / 1e9;
    System.out.println(
        "{\"feature\":" + json(feature) + ",\"name\":" + json(name) + ",\"ok\":" + ok + ",\"refused\":" + refused + ",\"note\":" + json(note) + ",\"seconds\":" + seconds + "}");
  }

  private static String json(String text) {
    StringBuilder quoted = new StringBuilder("\"");
    for (char c : text.toCharArray()) {
      if (c == '"' || c == '\\') quoted.append('\\').append(c);
      else if (c < 0x20 || c > 0x7e) quoted.append(String.format("\\u%04x", (int) c));
      else quoted.append(c);
    }
    return quoted.append('"').toString();
  }
}
